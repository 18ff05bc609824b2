"""Changes of an alert's state: acknowledged, resolved, reopened."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from auditstream.alerts.life_cycle import LifeCycleError, change_state
from auditstream.api.accept import require_accepted
from auditstream.api.accesses import Access, record_access
from auditstream.api.admit import admitting
from auditstream.api.documents import SECURITY, AlertChange, Why, refusals
from auditstream.api.services import Services, services_of
from auditstream.errors import AbandonedError, RefusedError
from auditstream.store.alert_states import State
from auditstream.store.read_alerts import read_alerts

Change: TypeAlias = Literal["acknowledge", "resolve", "reopen"]
STATES: Final[dict[Change, State]] = {
    "acknowledge": "acknowledged",
    "resolve": "resolved",
    "reopen": "reopened",
}
_JSON: Final = "application/json"

router = APIRouter(prefix="/v1/{workspace_username}/alerts", tags=["alerts"])
Watcher: TypeAlias = Annotated[Access, Depends(admitting("alerts"))]


@router.post(
    "/{alert_id}/{change}",
    response_class=Response,
    responses={
        200: {"model": AlertChange, "description": "The change that was made."},
        **refusals(
            (404, "The workspace has no such alert."),
            (409, "Its state does not allow the change; the detail says who was first."),
        ),
    },
    openapi_extra=SECURITY,
)
async def change_alert(
    request: Request,
    access: Watcher,
    alert_id: Annotated[UUID, Path(description="Id of the alert.")],
    change: Annotated[Change, Path(description="What is done.", examples=["acknowledge"])],
    why: Annotated[Why | None, Body()] = None,
) -> Response:
    """Change the state of an alert; of several clients at once one succeeds."""
    require_accepted(request.headers.get("accept"), _JSON)
    reason = why.reason if why else ""
    body = await run_in_threadpool(
        make_change, services_of(request), access, str(alert_id), STATES[change], reason
    )
    return Response(body, media_type=_JSON)


def make_change(services: Services, access: Access, alert_id: str, to: State, reason: str) -> str:
    """Change the state of an alert of the token's workspace; returns the change as JSON. Blocks.

    Raises:
        RefusedError: 404, 409 or 503, there is no such alert, its state does not allow it, or it
            cannot be recorded.
        ServiceUnavailableError, StoreError: see `Store`.
    """
    token = access.token
    found = read_alerts(services.store, token.workspace_id, [UUID(alert_id)])
    # Before the change: what cannot be recorded does not happen.
    record_access(services.audit, access, len(found))
    if not found:
        raise RefusedError(404, "the workspace has no such alert")
    by = f"{token.name} ({token.token_id})"
    try:
        made = change_state(services.store, alert_id, to, by, reason)
    except LifeCycleError as error:
        raise RefusedError(409, str(error)) from None
    except AbandonedError:
        raise RefusedError(
            503,
            "whether the change was made is not known yet; look at the alert",
            {"Retry-After": "5"},
        ) from None
    return AlertChange(
        alert_id=made.alert_id, state=made.state, by=made.by, at=made.at, reason=made.reason
    ).model_dump_json()
