"""Changes of an alert's state: numbered, and each number taken once.

Two people who acknowledge an alert at the same moment both aim at the same number; the first one
the server meets has it, whoever it is, and the other one is told.
"""
# ruff: noqa: S608 - names come from checked settings, values are parameters

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from datetime import datetime

import polars as pl

from auditstream.store.advance import advance
from auditstream.store.alert_states import State, microseconds
from auditstream.store.arrow import arrow_body, arrow_input, one_block
from auditstream.store.columns import TRANSITION_SCHEMA, TRANSITIONS
from auditstream.store.connection import Store


@dataclass(frozen=True)
class Transition:
    """One change of an alert's state; `number` counts from 1 within the alert."""

    alert_id: str
    number: int
    at: datetime
    state: State
    by: str
    reason: str


def list_transitions(store: Store, alert_id: str) -> list[Transition]:
    """Return the changes of an alert's state in their order. Blocks; raises what `Store` raises."""
    found = store.query_frame(
        "SELECT toString(t.alert_id) AS alert_id, number, at, state, by, reason "
        f"FROM {store.database}.alert_transitions AS t WHERE t.alert_id = {{alert_id:UUID}} "
        "ORDER BY number",
        {"alert_id": alert_id},
    )
    return [Transition(**row) for row in found.to_dicts()]


def append_transition(store: Store, transition: Transition, abandoned: threading.Event) -> bool:
    """Make a change the alert's next one; returns whether it is, or another took its number.

    Blocks until that is decided; a server that is away is waited for.

    Raises:
        AbandonedError: `abandoned` was set; the change may have landed, or may land yet.
        StoreError: the server refused; the call can be repeated.
    """
    table = f"{store.database}.alert_transitions"
    last = f"(SELECT max(number) FROM {table} WHERE alert_id = '{transition.alert_id}')"
    statement = (
        f"INSERT INTO {table} ({', '.join(TRANSITIONS)}) SELECT * FROM {arrow_input(TRANSITIONS)} "
        f"WHERE throwIf({last} != {transition.number - 1}, 'the state has changed') = 0 "
        "ORDER BY number FORMAT ArrowStream"
    )
    body = arrow_body(pl.DataFrame([asdict(transition)], schema=TRANSITION_SCHEMA), TRANSITIONS)

    def read() -> int:
        return int(store.query_frame(f"SELECT toUInt32({last})").item() or 0)

    def send(attempt: int) -> None:
        token = f"transition:{transition.alert_id}:{transition.number}:{attempt}"
        store.insert_arrow(statement, body, one_block(token, store.append_seconds))

    if read() >= transition.number:
        return False
    advance(transition.number - 1, read, send, bound=store.append_seconds, abandoned=abandoned)
    return transition in list_transitions(store, transition.alert_id)


def list_settled(store: Store, since: datetime) -> frozenset[str]:
    """Return the alerts changed since a time that somebody has acknowledged or resolved.

    Blocks, and raises what `Store` raises.
    """
    found = store.query_frame(
        "SELECT toString(t.alert_id) AS alert_id "
        f"FROM {store.database}.alert_transitions AS t GROUP BY t.alert_id "
        "HAVING max(t.at) >= fromUnixTimestamp64Micro({since:Int64}) "
        "AND argMax(t.state, t.number) IN ('acknowledged', 'resolved')",
        {"since": microseconds(since)},
    )
    return frozenset(found["alert_id"])
