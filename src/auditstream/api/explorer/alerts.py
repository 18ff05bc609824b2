"""Alerts of the workspace: lists of them, by filters that are a URL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Annotated, Final, get_args

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from auditstream.alerts.life_cycle import CursorError, list_alerts
from auditstream.api.event_query import Level
from auditstream.api.explorer.addresses import address
from auditstream.api.explorer.chart import stamp
from auditstream.api.explorer.visit import Visit, visiting
from auditstream.api.parameters import read_range
from auditstream.errors import RefusedError
from auditstream.store.alert_rules import rules_of
from auditstream.store.alert_states import STATES as ALL_STATES
from auditstream.store.alert_states import AlertFilter, State

PAGE_ALERTS: Final = 50
_SHOWN: Final[dict[str, tuple[str, tuple[State, ...]]]] = {
    "": ("To do", ("open", "reopened")),
    "acknowledged": ("Acknowledged", ("acknowledged",)),
    "resolved": ("Resolved", ("resolved",)),
    "all": ("All", ALL_STATES),
}
_FILTERS: Final = ("level", "rule", "actor", "since", "until")
_LEVELS: Final[tuple[str, ...]] = get_args(Level)

router = APIRouter()
Watcher = Annotated[Visit, Depends(visiting("alerts"))]


@router.get("/alerts")
async def show_alerts(request: Request, visit: Watcher) -> Response:
    """Show alerts, the newest first."""
    given = {name: value.strip() for name, value in request.query_params.items()}
    return await run_in_threadpool(_list, visit, given)


def _list(visit: Visit, given: Mapping[str, str]) -> Response:
    wanted = _filter(visit, given)
    store, workspace = visit.services.store, visit.token.workspace_id
    try:
        page = list_alerts(store, wanted, limit=PAGE_ALERTS, cursor=given.get("cursor") or None)
    except CursorError as error:
        raise RefusedError(400, f"cursor: {error}") from None
    visit.record(len(page.alerts))
    kept = [(name, given[name]) for name in _FILTERS if given.get(name)]
    state = [("state", given["state"])] if given.get("state") else []
    return visit.page(
        "alerts.html",
        alerts=page.alerts,
        tabs=[
            (
                title,
                address("/alerts", [*([("state", name)] if name else []), *kept]),
                name == given.get("state", ""),
            )
            for name, (title, _) in _SHOWN.items()
        ],
        older=page.next_cursor
        and address("/alerts", [*state, *kept, ("cursor", page.next_cursor)]),
        newest=address("/alerts", [*state, *kept]),
        first=not given.get("cursor"),
        cleared=address("/alerts", state),
        filtered=bool(kept),
        fields={
            **{name: given.get(name, "") for name in ("state", "level", "rule", "actor")},
            "since": wanted.since and stamp(wanted.since.astimezone(UTC)),
            "until": wanted.before and stamp(wanted.before.astimezone(UTC)),
        },
        rules=rules_of(store, workspace),
        levels=_LEVELS,
    )


def _filter(visit: Visit, given: Mapping[str, str]) -> AlertFilter:
    """Return which alerts are wanted.

    Raises:
        RefusedError: 400, a parameter is wrong; the detail names it.
    """
    unknown = set(given) - {"state", "cursor", *_FILTERS}
    if unknown:
        raise RefusedError(400, f"{min(unknown)}: there is no such filter")
    state, level = given.get("state", ""), given.get("level", "")
    if state not in _SHOWN:
        raise RefusedError(400, "state: there is none of that name")
    if level not in ("", *_LEVELS):
        raise RefusedError(400, "level: there is none of that name")
    since, before = read_range(
        ("since", given.get("since") or None), ("until", given.get("until") or None)
    )
    return AlertFilter(
        states=_SHOWN[state][1],
        level=level or None,
        rule_id=given.get("rule") or None,
        actor=given.get("actor") or None,
        workspace_id=visit.token.workspace_id,
        since=since,
        before=before,
    )
