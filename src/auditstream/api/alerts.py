"""Alerts of a workspace."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from auditstream.api.accept import require_accepted
from auditstream.api.accesses import Access, record_access
from auditstream.api.admit import admitting
from auditstream.api.conditional import conditional
from auditstream.api.documents import SECURITY, AlertForm, Alerts, refusals
from auditstream.api.event_query import Level
from auditstream.api.services import Services, services_of
from auditstream.errors import RefusedError
from auditstream.store.read_alerts import read_alerts

_JSON: Final = "application/json"

router = APIRouter(prefix="/v1/{workspace_username}/alerts", tags=["alerts"])
Watcher: TypeAlias = Annotated[Access, Depends(admitting("alerts"))]


class AlertQuery(BaseModel):
    """Which alerts are wanted."""

    model_config = ConfigDict(extra="forbid")

    rule: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="Id of the rule.",
        examples=["role_escalation"],
    )
    level: Level | None = Field(None, description="The least level.", examples=["high"])
    limit: int = Field(100, ge=1, le=1_000, description="Alerts at most.")


@router.get(
    "",
    response_class=Response,
    responses={200: {"model": Alerts, "description": "Alerts, the newest first."}, **refusals()},
    openapi_extra=SECURITY,
)
async def alerts(
    request: Request, access: Watcher, query: Annotated[AlertQuery, Query()]
) -> Response:
    """Return alerts of a workspace, the newest first by detection."""
    require_accepted(request.headers.get("accept"), _JSON)
    body = await run_in_threadpool(_list, services_of(request), access, query)
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


def _list(services: Services, access: Access, query: AlertQuery) -> bytes:
    lines = read_alerts(
        services.store,
        access.token.workspace_id,
        rule_id=query.rule,
        level=query.level,
        limit=query.limit,
    )
    record_access(services.audit, access, len(lines))
    return b'{"alerts":[%b]}' % b",".join(lines)


def _find(services: Services, access: Access, alert_id: UUID) -> bytes:
    lines = read_alerts(services.store, access.token.workspace_id, alert_id=alert_id, limit=1)
    record_access(services.audit, access, len(lines))
    if not lines:
        raise RefusedError(404, "the workspace has no such alert")
    return lines[0]
