"""The life cycle of an alert: open, acknowledged, resolved, reopened; and lists of alerts.

    open ──▶ acknowledged ──▶ resolved ──▶ reopened ──▶ acknowledged …
      └───────────────────────────▲  ▲          │
                  acknowledged ──▶ reopened     └──▶ resolved

Commands and the HTTP API share these functions. Each blocks for some statements, and raises besides
what it names ServiceUnavailableError and StoreError.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from auditstream.contract.alert import Alert
from auditstream.errors import AuditStreamError
from auditstream.store import alert_deliveries, alert_states
from auditstream.store.alert_deliveries import DeliveryRow
from auditstream.store.alert_states import AlertFilter, AlertState, State
from auditstream.store.alert_transitions import Transition, append_transition, list_transitions
from auditstream.store.alerts import find_alert
from auditstream.store.connection import Store

NEXT: Final[dict[State, frozenset[State]]] = {
    "open": frozenset({"acknowledged", "resolved"}),
    "acknowledged": frozenset({"resolved", "reopened"}),
    "resolved": frozenset({"reopened"}),
    "reopened": frozenset({"acknowledged", "resolved"}),
}
"""The states that may follow each state."""

MAX_PAGE: Final = 1_000
WAIT_SECONDS: Final = 30.0


class LifeCycleError(AuditStreamError):
    """The alert's state does not allow the change; the message says by whom it is what."""


class UnknownAlertError(AuditStreamError):
    """There is no alert with this id."""


class CursorError(AuditStreamError):
    """A cursor is not one that a page of alerts was given."""


@dataclass(frozen=True)
class Page:
    """Alerts, the newest first, and the cursor of the next page; None at the end."""

    alerts: tuple[AlertState, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class Story:
    """Everything about one alert: what it says, its state, its changes, its deliveries."""

    alert: Alert
    state: AlertState
    transitions: tuple[Transition, ...]
    deliveries: tuple[DeliveryRow, ...]


def acknowledge(store: Store, alert_id: str, by: str, reason: str = "") -> Transition:
    """Take an alert on: it is repeated and escalated no more. `by` is who does.

    Raises:
        UnknownAlertError: there is no such alert.
        LifeCycleError: it is acknowledged or resolved already, by whom is in the message.
    """
    return change_state(store, alert_id, "acknowledged", by, reason)


def resolve(store: Store, alert_id: str, by: str, reason: str = "") -> Transition:
    """Close an alert.

    Raises:
        UnknownAlertError: there is no such alert.
        LifeCycleError: it is resolved already.
    """
    return change_state(store, alert_id, "resolved", by, reason)


def reopen(store: Store, alert_id: str, by: str, reason: str = "") -> Transition:
    """Open an acknowledged or resolved alert again; waiting for an acknowledgement begins anew.

    Raises:
        UnknownAlertError: there is no such alert.
        LifeCycleError: it is open.
    """
    return change_state(store, alert_id, "reopened", by, reason)


def change_state(store: Store, alert_id: str, to: State, by: str, reason: str = "") -> Transition:
    """Change an alert's state; of several at once one succeeds, the others see what it left.

    Raises:
        UnknownAlertError, LifeCycleError: see `acknowledge`.
    """
    alert_id = canonical(alert_id)
    if find_alert(store, alert_id) is None:
        raise UnknownAlertError(f"there is no alert {alert_id}")
    while True:
        known = list_transitions(store, alert_id)
        last = known[-1] if known else None
        if to not in NEXT[last.state if last else "open"]:
            raise LifeCycleError(_refusal(alert_id, last))
        number = last.number + 1 if last else 1
        now = datetime.now(UTC)
        transition = Transition(alert_id, number, now, to, by, reason)
        with _bounded(WAIT_SECONDS) as abandoned:
            if append_transition(store, transition, abandoned):
                return transition


def list_alerts(
    store: Store, wanted: AlertFilter | None = None, *, limit: int = 50, cursor: str | None = None
) -> Page:
    """Return a page of alerts, the newest first by occurrence.

    Raises:
        CursorError: the cursor is not one of an earlier page.
    """
    limit = min(limit, MAX_PAGE)
    after = _place(cursor) if cursor else None
    found = alert_states.list_states(store, wanted or AlertFilter(), limit + 1, after)
    shown = tuple(found[:limit])
    more = len(found) > limit
    return Page(shown, _cursor(shown[-1]) if more else None)


def show_alert(store: Store, alert_id: str) -> Story:
    """Return everything about one alert.

    Raises:
        UnknownAlertError: there is no such alert.
    """
    alert_id = canonical(alert_id)
    alert = find_alert(store, alert_id)
    states = alert_states.list_states(store, AlertFilter(alert_id=alert_id), 1)
    if alert is None or not states:
        raise UnknownAlertError(f"there is no alert {alert_id}")
    return Story(
        alert,
        states[0],
        tuple(list_transitions(store, alert_id)),
        tuple(alert_deliveries.list_deliveries(store, alert_id)),
    )


def canonical(alert_id: str) -> str:
    """Return an alert id as canonical text.

    Raises:
        UnknownAlertError: it is not a UUID.
    """
    try:
        return str(UUID(alert_id))
    except ValueError:
        raise UnknownAlertError(f"{alert_id!r} is not an alert id") from None


def _refusal(alert_id: str, last: Transition | None) -> str:
    if last is None:
        return f"alert {alert_id} is open"
    why = f" ({last.reason})" if last.reason else ""
    since = f"{last.at:%Y-%m-%d %H:%M:%S} UTC"
    return f"alert {alert_id} is {last.state} by {last.by} since {since}{why}"


def _cursor(last: AlertState) -> str:
    text = f"{alert_states.microseconds(last.occurred_at)}:{last.alert_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(cursor: str) -> alert_states.Place:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        moment, _, alert_id = base64.urlsafe_b64decode(padded).decode().partition(":")
        seconds, rest = divmod(int(moment), 1_000_000)
        at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
        return at, str(UUID(alert_id))
    except (ValueError, OverflowError, OSError, binascii.Error):
        raise CursorError("the cursor is not one that a page of alerts was given") from None


@contextmanager
def _bounded(seconds: float) -> Iterator[threading.Event]:
    """Give an event that is set after some seconds."""
    abandoned = threading.Event()
    timer = threading.Timer(seconds, abandoned.set)
    timer.daemon = True
    timer.start()
    try:
        yield abandoned
    finally:
        timer.cancel()
