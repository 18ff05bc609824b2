"""One alert: why it matters, its evidence and runbook, and what is done about it."""

from __future__ import annotations

import json
from typing import Annotated, Final, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from auditstream.alerts.life_cycle import NEXT, show_alert
from auditstream.api.alert_changes import STATES, Change, make_change
from auditstream.api.explorer.rows import LOG_SHAPE, Row, row_of
from auditstream.api.explorer.runbook import render_runbook
from auditstream.api.explorer.visit import Visit, posting, visiting
from auditstream.contract.alert import Alert
from auditstream.contract.limits import MAX_TEXT
from auditstream.errors import RefusedError
from auditstream.rules.files import runbook_page
from auditstream.store.evidence import read_named
from auditstream.store.read_alerts import read_alerts

_WEB: Final = ("https://", "http://")

router = APIRouter()


@router.get("/alerts/{alert_id}")
async def show_one(
    alert_id: UUID, visit: Annotated[Visit, Depends(visiting("alerts"))]
) -> Response:
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


def _one(visit: Visit, alert_id: UUID) -> Response:
    store = visit.services.store
    found = read_alerts(store, visit.token.workspace_id, [alert_id])
    if not found:
        visit.record(0)
        raise RefusedError(404, "the workspace has no such alert")
    story = show_alert(store, str(alert_id))
    alert = story.alert
    events = _evidence(visit, alert)
    visit.record(1 + len(events))
    page = runbook_page(alert.runbook) if alert.runbook else None
    changes = [
        (name, cast("str", name).capitalize())
        for name, state in STATES.items()
        if state in NEXT[story.state.state]
    ]
    return visit.page(
        "alert.html",
        with_day=True,
        story=story,
        alert=alert,
        changes=changes,
        events=events,
        runbook=None if page is None else render_runbook(page, alert),
        runbook_address=alert.runbook if (alert.runbook or "").startswith(_WEB) else None,
        first_event=alert.first_event
        and json.dumps(json.loads(alert.first_event), ensure_ascii=False, indent=2),
    )


def _evidence(visit: Visit, alert: Alert) -> list[Row]:
    """Return the events that an alert names, for who may read the log."""
    if not visit.may("read"):
        return []
    ids = [item.event_id for item in alert.evidence]
    lines = read_named(visit.services.store, LOG_SHAPE, visit.token.workspace_id, ids)
    return [row_of(line, visit.services.catalogue) for line in lines]
