"""Alerts of the workspace, and what is done about them."""

from __future__ import annotations

from typing import Annotated, Final, cast, get_args
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse

from auditstream.alerts.life_cycle import NEXT, CursorError, list_alerts, show_alert
from auditstream.api.alert_changes import STATES, Change, make_change
from auditstream.api.event_query import Level
from auditstream.api.explorer.addresses import address
from auditstream.api.explorer.visit import Visit, posting, visiting
from auditstream.contract.alert import Alert
from auditstream.contract.limits import MAX_TEXT
from auditstream.errors import RefusedError
from auditstream.rules.files import runbook_page
from auditstream.store.alert_states import STATES as ALL_STATES
from auditstream.store.alert_states import AlertFilter, State
from auditstream.store.read_alerts import read_alerts

PAGE_ALERTS: Final = 50
_SHOWN: Final[dict[str, tuple[str, tuple[State, ...]]]] = {
    "": ("To do", ("open", "reopened")),
    "acknowledged": ("Acknowledged", ("acknowledged",)),
    "resolved": ("Resolved", ("resolved",)),
    "all": ("All", ALL_STATES),
}
_LEVELS: Final[tuple[str, ...]] = get_args(Level)

router = APIRouter()
Watcher = Annotated[Visit, Depends(visiting("alerts"))]


@router.get("/alerts")
async def show_alerts(request: Request, visit: Watcher) -> Response:
    """Show alerts, the newest first."""
    return await run_in_threadpool(_list, visit, dict(request.query_params))


@router.get("/alerts/{alert_id}")
async def show_one(alert_id: UUID, visit: Watcher) -> Response:
    """Show one alert with all that became of it."""
    return await run_in_threadpool(_one, visit, alert_id)


@router.post("/alerts/{alert_id}/{change}")
async def change(
    alert_id: UUID, change: Change, visit: Annotated[Visit, Depends(posting("alerts"))]
) -> Response:
    """Acknowledge, resolve or reopen an alert, and show it again."""
    reason = str(visit.form.get("reason", "")).strip()
    if len(reason) > MAX_TEXT:
        raise RefusedError(400, f"reason: at most {MAX_TEXT} characters")
    await run_in_threadpool(
        make_change, visit.services, visit.access, str(alert_id), STATES[change], reason
    )
    return RedirectResponse(f"/alerts/{alert_id}", 303)


def _list(visit: Visit, given: dict[str, str]) -> Response:
    shown, level = given.get("state", ""), given.get("level", "")
    if shown not in _SHOWN or level not in ("", *_LEVELS):
        raise RefusedError(400, "state or level: there is none of that name")
    wanted = AlertFilter(
        states=_SHOWN[shown][1],
        level=level or None,
        rule_id=given.get("rule") or None,
        workspace_id=visit.token.workspace_id,
    )
    try:
        page = list_alerts(
            visit.services.store, wanted, limit=PAGE_ALERTS, cursor=given.get("cursor") or None
        )
    except CursorError as error:
        raise RefusedError(400, f"cursor: {error}") from None
    visit.record(len(page.alerts))
    kept = [(name, given[name]) for name in ("level", "rule") if given.get(name)]
    state = [("state", shown)] if shown else []
    return visit.page(
        "alerts.html",
        alerts=page.alerts,
        tabs=[
            (
                title,
                address("/alerts", [*([("state", name)] if name else []), *kept]),
                name == shown,
            )
            for name, (title, _) in _SHOWN.items()
        ],
        older=page.next_cursor
        and address("/alerts", [*state, *kept, ("cursor", page.next_cursor)]),
        newest=address("/alerts", [*state, *kept]),
        first=not given.get("cursor"),
    )


def _one(visit: Visit, alert_id: UUID) -> Response:
    store = visit.services.store
    found = read_alerts(store, visit.token.workspace_id, [alert_id])
    visit.record(len(found))
    if not found:
        raise RefusedError(404, "the workspace has no such alert")
    story = show_alert(store, str(alert_id))
    changes = [
        (name, cast("str", name).capitalize())
        for name, state in STATES.items()
        if state in NEXT[story.state.state]
    ]
    return visit.page(
        "alert.html", story=story, alert=story.alert, changes=changes, runbook=_runbook(story.alert)
    )


def _runbook(alert: Alert) -> str | None:
    """Return where the runbook of an alert is, None where it is no link."""
    name = alert.runbook
    if name is None or name.startswith(("https://", "http://")):
        return name
    return f"/runbooks/{quote(name)}" if runbook_page(name) is not None else None
