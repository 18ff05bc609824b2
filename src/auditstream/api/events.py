"""Events on our own paths: pages by any filter, and one event with its neighbours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from auditstream.api.accept import require_accepted
from auditstream.api.accesses import Access, record_access
from auditstream.api.admit import admitting
from auditstream.api.conditional import conditional
from auditstream.api.cursors import MAX_CURSOR, Place
from auditstream.api.documents import SECURITY, EventPage, Events, refusals
from auditstream.api.ecs import to_ecs
from auditstream.api.event_query import EventQuery
from auditstream.api.ocsf import to_ocsf
from auditstream.api.read_ahead import Step, Walk
from auditstream.api.services import Services, services_of
from auditstream.errors import RefusedError
from auditstream.store.event_filter import EventFilter
from auditstream.store.neighbours import read_neighbourhood
from auditstream.store.read_events import EVENT_SHAPE, Page, read_page
from auditstream.store.read_near import read_near

Form: TypeAlias = Literal["json", "ocsf", "ecs"]
FORMS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "ocsf": to_ocsf,
    "ecs": to_ecs,
}
READ_AHEAD: Final = 2_000
_JSON: Final = "application/json"

router = APIRouter(prefix="/v1/{workspace_username}", tags=["events"])
Reader: TypeAlias = Annotated[Access, Depends(admitting("read"))]


class PageQuery(EventQuery):
    """Which events are wanted, in which order and form, and how many at a time."""

    order: Literal["newest", "oldest"] = Field("newest", description="Which come first.")
    limit: int = Field(100, ge=1, le=1_000, description="Events of a page at most.")
    format: Form = Field("json", description="Our own names, or those of OCSF or ECS.")
    cursor: str | None = Field(
        None, max_length=MAX_CURSOR, description="Where the page before has ended."
    )


@router.get(
    "/events",
    response_class=Response,
    responses={200: {"model": Events, "description": "A page of events."}, **refusals()},
    openapi_extra=SECURITY,
)
async def events(
    request: Request, access: Reader, query: Annotated[PageQuery, Query()]
) -> Response:
    """Return events of a workspace; pages show what was stored when the first was asked for."""
    require_accepted(request.headers.get("accept"), _JSON)
    services = services_of(request)
    walk = _walk(services, query.event_filter(access.token.workspace_id), query)
    step = None if query.cursor is None else services.ahead.find(walk, query.cursor)
    if step is None:
        step = await services.threads.run(_read, services, walk, query.cursor)
    await services.recorder.record(access, len(step.page.lines))
    lines = b",".join(told(line, query.format) for line in step.page.lines)
    following = json.dumps(step.following).encode()
    return conditional(request, b'{"events":[%b],"next_cursor":%b}' % (lines, following))


@router.get(
    "/events/{event_id}",
    response_class=Response,
    responses={
        200: {"model": EventPage, "description": "The event and its neighbours."},
        **refusals((404, "The workspace has no such event.")),
    },
    openapi_extra=SECURITY,
)
async def event(
    request: Request,
    access: Reader,
    event_id: Annotated[
        UUID,
        Path(description="Id of the event.", examples=["01955b0a-f670-783a-89d6-3595da725eb1"]),
    ],
    form: Annotated[Form, Query(alias="format", description="See the list of events.")] = "json",
) -> Response:
    """Return an event with those of the same operation, its cause and its effects."""
    require_accepted(request.headers.get("accept"), _JSON)
    body = await run_in_threadpool(_event, services_of(request), access, event_id, form)
    return conditional(request, body)


def told(line: bytes, form: str) -> bytes:
    """Return an event, as JSON under the names of columns, in one of the forms."""
    if form not in FORMS:
        return line
    return json.dumps(FORMS[form](json.loads(line)), ensure_ascii=False).encode()


def _walk(services: Services, wanted: EventFilter, query: PageQuery) -> Walk:
    def read(place: Place, limit: int) -> Page:
        store, snapshot, after = services.store, place.snapshot, place.after
        if query.order == "newest":
            paces = services.paces
            return read_near(
                store, paces, EVENT_SHAPE, wanted, snapshot=snapshot, after=after, limit=limit
            )
        return read_page(
            store,
            EVENT_SHAPE,
            wanted,
            snapshot=snapshot,
            after=after,
            limit=limit,
            newest_first=False,
        )

    purpose = f"events {query.order}"
    return Walk(purpose, wanted, EVENT_SHAPE, query.limit, read, READ_AHEAD)


def _read(services: Services, walk: Walk, cursor: str | None) -> Step:
    if cursor is None:
        return services.ahead.begin(walk, services.snapshots.read())
    place = services.cursors.open("cursor", walk.purpose, walk.wanted, cursor)
    return services.ahead.go_on(walk, place, cursor)


def _event(services: Services, access: Access, event_id: UUID, form: str) -> bytes:
    found = read_neighbourhood(services.store, access.token.workspace_id, event_id)
    if found is None:
        record_access(services.audit, access, 0)
        raise RefusedError(404, "the workspace has no such event")
    rows = 1 + len(found.correlated) + len(found.causes) + len(found.effects)
    record_access(services.audit, access, rows)
    shape = FORMS.get(form, dict)
    parts = {
        name: shape(part) if name == "event" else [shape(item) for item in part]
        for name, part in asdict(found).items()
    }
    return json.dumps(parts, ensure_ascii=False).encode()
