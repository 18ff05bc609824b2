"""Lanes: order, rate, retries, dead letters, bounded memory; none holds up another."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auditstream.alerts import lane as lane_module
from auditstream.alerts.destinations.destination import DeliveryError
from auditstream.alerts.lane import Lane
from auditstream.alerts.message import Message
from auditstream.alerts.planner import planned_row
from auditstream.notifier_settings import NotifierSettings
from auditstream.store.alert_deliveries import DeliveryRow
from tests.alerts.samples import alert
from tests.stack.poll import eventually


class Out:
    """A destination that fails as it is told."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.failures: list[DeliveryError] = []
        self.refuses: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()

    def send(self, message: Message) -> None:
        """Take a message, or fail."""
        self.gate.wait(10)
        if self.failures:
            raise self.failures.pop(0)
        if self.refuses & {letter.alert.alert_id for letter in message.letters}:
            raise DeliveryError("poison")
        self.messages.append(message)


class Laned:
    """A lane, what it sent and what it noted."""

    def __init__(self, settings: NotifierSettings) -> None:
        self.out = Out()
        self.rows: list[DeliveryRow] = []
        self.said: list[str] = []
        self.ledger: list[DeliveryRow] = []
        self.lane = Lane(
            "out", self.out, settings, None, self.rows.extend, self._refill, self.said.append
        )

    def _refill(self, name: str, limit: int) -> tuple[Sequence[DeliveryRow], bool]:
        done = {row.delivery_id for row in self.rows if row.state in ("delivered", "dead")}
        return [row for row in self.ledger if row.delivery_id not in done][:limit], True

    @property
    def ids(self) -> list[str]:
        """Ids of alerts that were taken, in their order."""
        return [letter.alert.alert_id for item in self.out.messages for letter in item.letters]

    def wait(self, state: str, count: int) -> list[DeliveryRow]:
        """Wait until so many rows with a state were noted."""
        eventually(
            lambda: sum(row.state == state for row in list(self.rows)) >= count,
            within=10,
            what=f"{count} {state}",
        )
        return [row for row in self.rows if row.state == state]


@contextmanager
def laned(rate: int = 1000, **settings: Any) -> Iterator[Laned]:
    destinations = {"out": {"type": "console", "rate_per_minute": rate}}
    fast = {"first_retry_seconds": 0.02, "longest_retry_seconds": 0.1} | settings
    made = Laned(NotifierSettings.model_validate({"destinations": destinations} | fast))
    made.lane.start()
    try:
        yield made
    finally:
        made.out.gate.set()
        made.lane.stop(5)


def row(number: int, age: timedelta = timedelta(0), **fields: Any) -> DeliveryRow:
    now = datetime.now(UTC) - age
    kind = fields.pop("kind", "alert")
    due = fields.pop("due", now)
    return planned_row(alert(number, **fields), 0, now, kind, "out", due, 1)


def test_order_and_outcome() -> None:
    """Deliveries are made in their order, each once, and noted with the message's id."""
    with laned() as made:
        rows = [row(number) for number in range(20)]
        made.lane.put(rows)
        made.lane.put(rows)
        noted = made.wait("delivered", 20)
        made.lane.put(rows)
    assert made.ids == [alert(number).alert_id for number in range(20)]
    assert [item.message_id for item in noted] == [item.delivery_id for item in rows]
    assert {item.attempt for item in noted} == {1}


def test_failure_is_tried_again_under_the_same_id() -> None:
    """A destination that is down for a while has every delivery in the end."""
    with laned() as made:
        made.out.failures = [DeliveryError("is down") for _ in range(4)]
        made.lane.put([row(1), row(2)])
        made.wait("delivered", 2)
        failed = made.wait("failed", 4)
    assert sorted(made.ids) == [alert(1).alert_id, alert(2).alert_id]
    assert {item.error for item in failed} == {"is down"}
    assert made.said == [
        "destination out: is down; trying again",
        "destination out takes messages again",
    ]


def test_refusal_for_good_is_a_dead_letter_at_once() -> None:
    """What is refused for good is not tried again; what is behind it is delivered."""
    with laned() as made:
        made.out.failures = [DeliveryError("gone", permanent=True)]
        made.lane.put([row(1), row(2)])
        (dead,) = made.wait("dead", 1)
        made.wait("delivered", 1)
    assert (dead.alert_id, dead.error) == (alert(1).alert_id, "gone")
    assert made.ids == [alert(2).alert_id]


def test_message_that_always_fails_holds_up_no_other() -> None:
    """A poison message goes behind the others, and is given up when it is old."""
    with laned(give_up_minutes=1) as made:
        made.out.refuses = {alert(1).alert_id}
        made.lane.put([row(1, age=timedelta(minutes=2)), row(2), row(3)])
        made.wait("delivered", 2)
        (dead,) = made.wait("dead", 1)
    assert dead.attempt == 3
    assert made.ids == [alert(2).alert_id, alert(3).alert_id]


def test_retry_after_is_honoured() -> None:
    """A destination that asks to be left alone for a second is."""
    with laned() as made:
        made.out.failures = [DeliveryError("busy", retry_after=1.0)]
        started = time.monotonic()
        made.lane.put([row(1)])
        made.wait("delivered", 1)
    assert time.monotonic() - started >= 1.0


def test_rate_folds_the_rest_into_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a flood of 215 alerts three are sent, then one message says: 212 more."""
    monkeypatch.setattr(lane_module, "RATE_SECONDS", 0.5)
    with laned(rate=3) as made:
        made.lane.put([row(n, level="low") for n in range(214)] + [row(214, level="critical")])
        made.wait("delivered", 215)
    assert [len(item.letters) for item in made.out.messages] == [1, 1, 1, 212]
    folded = made.out.messages[3]
    assert folded.kind == "folded"
    assert folded.letters[0].alert.level == "critical"
    assert len(set(made.ids)) == 215
    assert {item.message_id for item in made.rows[-212:]} == {folded.message_id}


def test_digest_waits_and_gathers() -> None:
    """Alerts for a digest are sent together when it is due, and not before."""
    with laned() as made:
        due = datetime.now(UTC) + timedelta(seconds=0.5)
        made.lane.put([row(n, kind="digest", due=due) for n in range(5)] + [row(9)])
        made.wait("delivered", 6)
    single, digest = made.out.messages
    assert (single.kind, digest.kind, len(digest.letters)) == ("alert", "digest", 5)
    assert digest.now >= due


def test_memory_is_bounded_and_nothing_is_lost() -> None:
    """What finds no room in memory is taken from the ledger later."""
    with laned(queue=10) as made:
        made.out.gate.clear()
        made.ledger = [row(number) for number in range(95)]
        made.lane.put(made.ledger)
        assert len(made.lane._items) <= 10
        made.out.gate.set()
        made.wait("delivered", 95)
    assert sorted(made.ids) == [alert(number).alert_id for number in range(95)]


def test_slow_destination_holds_up_no_other() -> None:
    """While one destination hangs, another one's deliveries are made."""
    with laned() as slow, laned() as quick:
        slow.out.gate.clear()
        slow.lane.put([row(1)])
        quick.lane.put([row(n) for n in range(50)])
        quick.wait("delivered", 50)
        assert slow.rows == []


def test_dead_letter_can_be_taken_up_again_once() -> None:
    """A delivery in state retried is made although it was given up, and once."""
    from dataclasses import replace

    with laned() as made:
        made.out.failures = [DeliveryError("gone", permanent=True)]
        planned = row(1)
        made.lane.put([planned])
        (dead,) = made.wait("dead", 1)
        again = replace(planned, state="retried", attempt=dead.attempt)
        made.lane.put([again])
        made.lane.put([again])
        made.wait("delivered", 1)
        made.lane.put([again])
        made.lane.put([row(2)])
        made.wait("delivered", 2)
    assert made.ids == [alert(1).alert_id, alert(2).alert_id]


def test_revoked_deliveries_are_dropped() -> None:
    """What another notifier has now is not sent from here."""
    with laned() as made:
        made.out.gate.clear()
        made.lane.put([row(number) for number in range(5)])
        eventually(lambda: made.lane._items, within=5, what="items")
        time.sleep(0.05)
        made.lane.drop([0])
        made.out.gate.set()
        made.wait("delivered", 1)
    assert len(made.ids) == 1
