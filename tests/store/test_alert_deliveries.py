"""The ledger of deliveries, hits and states of alerts, on both servers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event

from auditstream.alerts.planner import held_row, planned_row
from auditstream.store.alert_deliveries import (
    DeliveryRow,
    HitRow,
    append_deliveries,
    append_hits,
    count_failures,
    list_dead,
    list_decisions,
    list_deliveries,
    list_held,
    list_hits,
    list_open,
    list_unacknowledged,
)
from auditstream.store.alert_silences import Silence, add_silence, cancel_silence, list_silences
from auditstream.store.alert_states import AlertFilter, list_states
from auditstream.store.alert_transitions import (
    Transition,
    append_transition,
    list_settled,
    list_transitions,
)
from auditstream.store.alerts import append_alerts, find_alert
from auditstream.store.connection import Store
from tests.alerts.samples import ESCALATION, OCCURRED, alert

NEVER = Event()
NOW = datetime.now(UTC).replace(microsecond=123_456)
SECOND = timedelta(seconds=1)


def planned(number: int, partition: int = 0, destination: str = "hook") -> DeliveryRow:
    item = alert(number, group_key=f"g{number}")
    return planned_row(item, partition, NOW, "alert", destination, NOW, 1)


def later(row: DeliveryRow, state: str, seconds: int, error: str = "") -> DeliveryRow:
    at = NOW + seconds * SECOND
    return replace(row, state=state, at=at, attempt=seconds, error=error, alert="")  # type: ignore[arg-type]


def test_state_of_a_delivery_is_its_newest_one(store: Store) -> None:
    """Open, dead and delivered ones are told apart, whatever the order and repeats of rows."""
    rows = [planned(number) for number in range(5)]
    append_deliveries(store, rows)
    append_deliveries(store, [later(rows[1], "delivered", 2), later(rows[1], "failed", 3)])
    append_deliveries(store, [later(rows[2], "failed", 1, "e1"), later(rows[2], "dead", 2, "e2")])
    append_deliveries(store, [later(rows[3], "dead", 2), later(rows[3], "retried", 4)])
    append_deliveries(store, [*rows, planned(9, partition=1)])
    found = list_open(store, [0], NOW, 10)
    assert {(row.alert_id, row.state) for row in found} == {
        (rows[0].alert_id, "planned"),
        (rows[3].alert_id, "retried"),
        (rows[4].alert_id, "planned"),
    }
    assert {row.alert for row in found} == {rows[number].alert for number in (0, 3, 4)}
    (dead,) = list_dead(store, 10)
    assert (dead.alert_id, dead.attempt, dead.error) == (rows[2].alert_id, 2, "e2")
    assert list_open(store, [0], NOW, 10, "other") == []
    assert [row.state for row in list_open(store, [0], NOW, 10, states=["retried"])] == ["retried"]
    assert count_failures(store, NOW)["hook"][:2] == (2, 2)
    assert [row.state for row in list_deliveries(store, rows[2].alert_id)] == [
        "planned",
        "failed",
        "dead",
    ]


def test_decisions_come_once_for_each_alert(store: Store) -> None:
    """Planned for two destinations is one decision; what was held back says so."""
    held = held_row(alert(3), 0, NOW + SECOND, "suppressed", "x", 1)
    silenced = held_row(alert(4), 0, NOW + 2 * SECOND, "silenced", "s-1", 1)
    append_deliveries(store, [planned(1), planned(1, destination="mail"), held, silenced])
    found = list_decisions(store, [0], NOW - SECOND, 100)
    assert [(item.alert_id[-1], item.state, item.window_seconds) for item in found] == [
        ("1", "planned", 3600),
        ("3", "suppressed", 3600),
        ("4", "silenced", 3600),
    ]
    assert list_decisions(store, [1], NOW - SECOND, 100) == []
    (hidden,) = list_held(store, NOW, 10, ["silenced"])
    assert (hidden.held_by, hidden.alert_id) == ("s-1", alert(4).alert_id)


def test_unacknowledged_alerts(store: Store) -> None:
    """Those of the level that nobody took on in time, until their escalation is planned."""
    rows = [planned(number) for number in range(4)]
    append_deliveries(store, [*rows, planned(0, destination="mail")])
    change(store, 1, "acknowledged")
    change(store, 2, "acknowledged")
    change(store, 2, "reopened")
    far = NOW + timedelta(minutes=5)

    def waiting(before: datetime = far) -> list[tuple[str, int]]:
        found = list_unacknowledged(store, [0], "high", before, NOW)
        return sorted((row.alert_id[-1], reopened) for row, reopened in found)

    assert waiting() == [("0", 0), ("2", 1), ("3", 0)]
    assert waiting(NOW - SECOND) == []
    assert list_unacknowledged(store, [0], "low", far, NOW) == []
    append_deliveries(store, [planned_row(alert(3), 0, NOW, "escalation", "boss", NOW, 1)])
    append_deliveries(store, [planned_row(alert(2), 0, NOW, "escalation", "boss", NOW, 1)])
    assert waiting() == [("0", 0), ("2", 1)]
    assert list_settled(store, NOW - SECOND) == {alert(1).alert_id}


def change(store: Store, number: int, state: str) -> None:
    known = list_transitions(store, alert(number).alert_id)
    item = Transition(
        alert(number).alert_id,
        len(known) + 1,
        NOW + len(known) * SECOND,
        state,  # type: ignore[arg-type]
        "grace",
        "",
    )
    assert append_transition(store, item, NEVER)


def test_number_of_a_change_is_taken_once(store: Store) -> None:
    """A second change under a number does not land, and says so; the first one stays."""
    first = Transition(alert(1).alert_id, 1, NOW, "acknowledged", "ann", "mine")
    second = replace(first, by="bob")
    assert append_transition(store, first, NEVER)
    assert not append_transition(store, second, NEVER)
    assert list_transitions(store, alert(1).alert_id) == [first]


def test_states_are_filtered_and_paged(store: Store) -> None:
    """The view shows each alert with its state and count; pages follow each other."""
    alerts = [
        alert(
            number,
            level="high" if number % 2 else "low",
            occurred_at=OCCURRED + (number // 3) * SECOND,
            actor=f"actor-{number % 3}",
        )
        for number in range(9)
    ]
    append_alerts(store, alerts, NEVER)
    change(store, 4, "acknowledged")
    hits = [HitRow(alerts[5].alert_id, NOW, 2, ("a", "b"), 0, n) for n in range(2)]
    hits.append(HitRow(alerts[5].alert_id, NOW, 2, ("b", "c"), 0, 9))
    append_hits(store, hits)
    everything = list_states(store, AlertFilter(), 100)
    assert [item.alert_id for item in everything] == [
        item.alert_id
        for item in sorted(alerts, key=lambda a: (a.occurred_at, a.alert_id), reverse=True)
    ]
    assert {item.alert_id[-1]: item.state for item in everything}["4"] == "acknowledged"
    assert {item.alert_id[-1]: item.event_count for item in everything}["5"] == 3
    pages, after = [], None
    while page := list_states(store, AlertFilter(), 2, after):
        pages += page
        after = (page[-1].occurred_at, page[-1].alert_id)
    assert pages == everything

    def chosen(**fields: object) -> str:
        wanted = AlertFilter(**fields)  # type: ignore[arg-type]
        return "".join(sorted(item.alert_id[-1] for item in list_states(store, wanted, 100)))

    assert chosen(states=("acknowledged", "resolved")) == "4"
    assert chosen(level="medium") == "1357"
    assert chosen(actor="actor-0", since=OCCURRED + SECOND) == "36"
    assert chosen(before=OCCURRED + SECOND) == "012"
    assert chosen(rule_id="other") == ""
    assert chosen(workspace_id="ws-1", alert_id=alerts[8].alert_id) == "8"
    assert list_hits(store, [0], NOW) == {alerts[5].alert_id: ({"a", "b", "c"}, 0)}


def test_alert_keeps_all_it_says(store: Store) -> None:
    """Whom, marks, link and the first event come back; an unknown id is none."""
    full = replace(
        ESCALATION,
        late=True,
        retroactive=True,
        window_seconds=60,
        link="https://x.example/alerts/1",
        first_event='{"action": "é"}',
    )
    append_alerts(store, [full], NEVER)
    assert find_alert(store, full.alert_id) == full
    assert find_alert(store, alert(7).alert_id) is None


def test_silences(store: Store) -> None:
    """The newest row of a silence counts; those that ended can be left out."""
    hour = timedelta(hours=1)
    first = Silence(alert(1).alert_id, NOW, NOW + hour, "ann", "it's quiet", rule_id="r")
    second = Silence(alert(2).alert_id, NOW + SECOND, NOW - SECOND, "bob", "old", level="low")
    for item in (first, second):
        add_silence(store, item)
    assert list_silences(store) == [second, first]
    assert list_silences(store, NOW) == [first]
    cancel_silence(store, first, NOW + 2 * SECOND, "eve", "done")
    (ended,) = list_silences(store, NOW)
    assert (ended.cancelled, ended.author, ended.rule_id) == (True, "eve", "r")
    assert not ended.in_force(NOW)
