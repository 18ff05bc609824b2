"""The published endpoint: GET /api/{workspace_username}/audit_logs.

A client written for Analyst Studio's API works here by another base URL. Beyond the published
words: `start_timestamp` is included, `end_timestamp` is not, so that one range can follow another;
entries are the newest first, 100 to a page; and a walk from page to page shows what was stored when
it began, each entry once.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field
from starlette.requests import Request

from auditstream.api.accept import require_accepted
from auditstream.api.accesses import Access
from auditstream.api.admit import admitting
from auditstream.api.cursors import MAX_CURSOR, Place
from auditstream.api.parameters import read_address, read_range
from auditstream.api.read_ahead import Step, Walk
from auditstream.api.reading import reading
from auditstream.api.services import Services, services_of
from auditstream.store.audit_log_entries import entry_shape
from auditstream.store.event_filter import EventFilter
from auditstream.store.read_events import Page
from auditstream.store.read_near import read_near

PAGE_ENTRIES: Final = 100
READ_AHEAD: Final = 4_000
_MAX_VALUE: Final = 1_024
_PURPOSE: Final = "audit_logs"


class Actor(BaseModel):
    """Who acted."""

    ip: str | None
    user_agent: str | None
    user_id: str | None
    username: str | None


class Entity(BaseModel):
    """What was acted on."""

    entity_name: str | None
    entity_type: str = Field(examples=["workspace_connection"])
    entity_id: str


class Entry(BaseModel):
    """One audited action."""

    id: str
    action: str = Field(examples=["connection_group_added_with_role"])
    description: str = Field(examples=["group added to connection"])
    timestamp: str = Field(examples=["2025-02-18T10:47:37.000000Z"])
    workspace_username: str
    context: dict[str, str]
    actor: Actor
    entity: Entity


class AuditLogs(BaseModel):
    """A page of entries, the newest first; `next_token` is null on the last."""

    audit_logs: list[Entry]
    next_token: str | None


class Error(BaseModel):
    """What is wrong with a request."""

    id: str = Field(examples=["bad_request"])
    message: str


def _filter(description: str, example: str) -> Any:
    return Field(None, description=description, max_length=_MAX_VALUE, examples=[example])


class AuditLogsQuery(BaseModel):
    """The published parameters; what else a client sends is ignored."""

    start_timestamp: str = Field(
        description="Start of the range, ISO 8601.", max_length=_MAX_VALUE, examples=["2025-02-18"]
    )
    end_timestamp: str = Field(
        description="End of the range, ISO 8601.",
        max_length=_MAX_VALUE,
        examples=["2025-02-19T00:00:00+01:00"],
    )
    action: str | None = _filter("Name of an action.", "group_created")
    entity_id: str | None = _filter("Id of the entity.", "af5aaf31658b")
    entity_type: str | None = _filter("Type of the entity.", "workspace_connection")
    entity_name: str | None = _filter("Name of the entity.", "Star Space")
    username: str | None = _filter("User name of the actor.", "peter_parker")
    ip: str | None = _filter("Address of the actor.", "203.0.113.9")
    event_source: str | None = _filter("Service that produced the event.", "connections")
    next_token: str | None = Field(
        None, max_length=MAX_CURSOR, description="Where the page before has ended."
    )

    def event_filter(self, workspace_id: str) -> EventFilter:
        """Return the filter for a workspace.

        Raises:
            RefusedError: 400, a time or an address is none.
        """
        since, until = read_range(
            ("start_timestamp", self.start_timestamp), ("end_timestamp", self.end_timestamp)
        )
        given = {
            "action": self.action,
            "entity_id": self.entity_id,
            "entity_type": self.entity_type,
            "entity_name": self.entity_name,
            "username": self.username,
            "ip": None if self.ip is None else read_address("ip", self.ip),
            "source": self.event_source,
        }
        wanted = {name: (value,) for name, value in given.items() if value is not None}
        return EventFilter(workspace_id, since, until, wanted=wanted)


_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {
        "model": Error,
        "description": "A parameter is missing or wrong; the message says which.",
    },
    401: {"model": Error, "description": "No workspace token, or not its secret."},
    403: {"model": Error, "description": "The token is one of another workspace."},
    406: {"model": Error, "description": "The header Accept rules JSON out."},
    414: {"model": Error, "description": "The URL is too long."},
    429: {"model": Error, "description": "Too many requests; Retry-After says when to come back."},
    503: {"model": Error, "description": "The log cannot be read, or the access not recorded."},
}


router = APIRouter(tags=["audit logs"], route_class=reading(AuditLogsQuery, "read"))


@router.get(
    "/api/{workspace_username}/audit_logs",
    response_class=Response,
    responses={
        200: {"model": AuditLogs, "description": "A page of entries, the newest first."},
        **_REFUSALS,
    },
    openapi_extra={"security": [{"workspaceToken": []}]},
)
async def audit_logs(
    request: Request,
    access: Annotated[Access, Depends(admitting("read"))],
    query: Annotated[AuditLogsQuery, Query()],
) -> Response:
    """Return the audit log of a workspace within a range of time, page by page."""
    require_accepted(request.headers.get("accept"), "application/json")
    wanted = query.event_filter(access.token.workspace_id)
    services, token = services_of(request), query.next_token
    walk = _walk(services, access, wanted)
    step = None if token is None else services.ahead.find(walk, token)
    if step is None:
        step = await services.threads.run(_read, services, walk, token)
    await services.recorder.record(access, len(step.page.lines))
    following = json.dumps(step.following).encode()
    body = b'{"audit_logs":%b,"next_token":%b}' % (step.page.array, following)
    return Response(body, media_type="application/json")


def _walk(services: Services, access: Access, wanted: EventFilter) -> Walk:
    username = access.token.workspace_username
    shape = entry_shape(username)

    def read(place: Place, limit: int) -> Page:
        return read_near(
            services.store,
            services.paces,
            shape,
            wanted,
            snapshot=place.snapshot,
            after=place.after,
            limit=limit,
        )

    # Entries tell the name, so that pages of one name are not those of another.
    return Walk(f"{_PURPOSE} {username}", wanted, shape, PAGE_ENTRIES, read, READ_AHEAD)


def _read(services: Services, walk: Walk, token: str | None) -> Step:
    if token is None:
        return services.ahead.begin(walk, services.snapshots.read())
    place = services.cursors.open("next_token", walk.purpose, walk.wanted, token)
    return services.ahead.go_on(walk, place, token)
