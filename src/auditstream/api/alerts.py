"""Alerts of a workspace, with their state and what brought them into it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from auditstream.alerts.life_cycle import MAX_PAGE, CursorError, list_alerts
from auditstream.api.accept import require_accepted
from auditstream.api.accesses import Access, record_access
from auditstream.api.admit import admitting
from auditstream.api.conditional import conditional
from auditstream.api.documents import SECURITY, AlertForm, Alerts, refusals
from auditstream.api.event_query import Level, Moment, Value
from auditstream.api.parameters import read_range
from auditstream.api.services import Services, services_of
from auditstream.errors import RefusedError
from auditstream.store.alert_states import STATES, AlertFilter, AlertState, State
from auditstream.store.read_alerts import read_alerts

_JSON: Final = "application/json"

router = APIRouter(prefix="/v1/{workspace_username}/alerts", tags=["alerts"])
Watcher: TypeAlias = Annotated[Access, Depends(admitting("alerts"))]


class AlertQuery(BaseModel):
    """Which alerts are wanted: those that agree with all that is given."""

    model_config = ConfigDict(extra="forbid")

    state: list[State] = Field(
        default_factory=list,
        max_length=len(STATES),
        description="State, or one of several.",
        examples=[["open", "reopened"]],
    )
    rule: Value | None = Field(None, description="Id of the rule.", examples=["role_escalation"])
    level: Level | None = Field(None, description="The least level.", examples=["high"])
    actor: Value | None = Field(
        None, description="Who acted, as the alert shows it.", examples=["peter_parker"]
    )
    entity: Value | None = Field(
        None, description="What was acted on, as the alert shows it.", examples=["Star Space"]
    )
    since: Moment = Field(None, description="From then on, ISO 8601.", examples=["2025-02-18"])
    until: Moment = Field(None, description="Before then, ISO 8601.", examples=["2025-02-19"])
    limit: int = Field(100, ge=1, le=MAX_PAGE, description="Alerts of a page at most.")
    cursor: str | None = Field(
        None, min_length=1, max_length=256, description="Where the page before has ended."
    )

    def alert_filter(self, workspace_id: str) -> AlertFilter:
        """Return the filter for a workspace.

        Raises:
            RefusedError: 400, a time is none.
        """
        since, until = read_range(("since", self.since), ("until", self.until))
        return AlertFilter(
            states=tuple(self.state),
            level=self.level,
            rule_id=self.rule,
            workspace_id=workspace_id,
            actor=self.actor,
            entity=self.entity,
            since=since,
            before=until,
        )


@router.get(
    "",
    response_class=Response,
    responses={200: {"model": Alerts, "description": "A page of alerts."}, **refusals()},
    openapi_extra=SECURITY,
)
async def alerts(
    request: Request, access: Watcher, query: Annotated[AlertQuery, Query()]
) -> Response:
    """Return alerts of a workspace, the newest first by the time of their first event.

    A walk from page to page shows each alert once, whatever is raised meanwhile.
    """
    require_accepted(request.headers.get("accept"), _JSON)
    wanted = query.alert_filter(access.token.workspace_id)
    body = await run_in_threadpool(_list, services_of(request), access, wanted, query)
    return conditional(request, body)


@router.get(
    "/{alert_id}",
    response_class=Response,
    responses={
        200: {"model": AlertForm, "description": "The alert."},
        **refusals((404, "The workspace has no such alert.")),
    },
    openapi_extra=SECURITY,
)
async def alert(
    request: Request,
    access: Watcher,
    alert_id: Annotated[UUID, Path(description="Id of the alert.")],
) -> Response:
    """Return one alert."""
    require_accepted(request.headers.get("accept"), _JSON)
    body = await run_in_threadpool(_find, services_of(request), access, alert_id)
    return conditional(request, body)


def _list(services: Services, access: Access, wanted: AlertFilter, query: AlertQuery) -> bytes:
    try:
        page = list_alerts(services.store, wanted, limit=query.limit, cursor=query.cursor)
    except CursorError as error:
        raise RefusedError(400, f"cursor: {error}") from None
    told = {alert["alert_id"]: alert for alert in _read(services, access, page.alerts)}
    record_access(services.audit, access, len(told))
    alerts = [told[listed.alert_id] for listed in page.alerts]
    return _json({"alerts": alerts, "next_cursor": page.next_cursor})


def _find(services: Services, access: Access, alert_id: UUID) -> bytes:
    wanted = AlertFilter(workspace_id=access.token.workspace_id, alert_id=str(alert_id))
    told = _read(services, access, list_alerts(services.store, wanted, limit=1).alerts)
    record_access(services.audit, access, len(told))
    if not told:
        raise RefusedError(404, "the workspace has no such alert")
    return _json(told[0])


def _read(services: Services, access: Access, listed: Sequence[AlertState]) -> list[dict[str, Any]]:
    """Return alerts in full; those that go on with all the events that they stand for by now."""
    counts = {alert.alert_id: alert.event_count for alert in listed}
    lines = read_alerts(
        services.store, access.token.workspace_id, [UUID(number) for number in counts]
    )
    alerts = map(json.loads, lines)
    return [alert | {"event_count": counts[alert["alert_id"]]} for alert in alerts]


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
