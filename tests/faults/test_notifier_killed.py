"""A notifier that dies, alone or together with its worker, loses no alert."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from auditstream.alerts.records import Record, send_records
from auditstream.alerts.topic import encode_alert
from tests.alerts.receiver import SECRET, Receiver, receiving
from tests.alerts.samples import alert
from tests.harness.system import System
from tests.stack.poll import eventually

pytestmark = [pytest.mark.real, pytest.mark.fault, pytest.mark.timeout(300)]

ALERTS = 1_500
IN_FLIGHT = 200
"""Deliveries of which a killed notifier may not have noted that they were made."""


def config(receiver: Receiver) -> str:
    """A settings file: every alert to the receiver, fast."""
    return f"""
[notifier]
first_retry_seconds = 0.1
longest_retry_seconds = 1.0
tick_seconds = 0.5
[notifier.destinations.hook]
type = "webhook"
url = "{receiver.url}"
secret = "{SECRET}"
rate_per_minute = 1000000
every = true
"""


def publish(system: System, stop: threading.Event) -> None:
    """Send alerts, about 150 a second, each with an id of its own."""
    now = datetime.now(UTC)
    for first in range(0, ALERTS, 15):
        alerts = [
            alert(n, group_key=f"g{n}", occurred_at=now, detected_at=now + timedelta(seconds=1))
            for n in range(first, first + 15)
        ]
        records = (Record(key, value, tuple(h)) for key, value, h in map(encode_alert, alerts))
        send_records(system.settings, system.settings.alerts_topic, records)
        if stop.wait(0.1):
            return


def test_notifier_killed_at_random_times(system: System, seed: int) -> None:
    """SIGKILL at random moments under load, with a receiver that fails now and then."""
    rng = random.Random(seed)
    stop = threading.Event()
    with receiving() as receiver:
        publisher = threading.Thread(target=publish, args=(system, stop))
        publisher.start()
        try:
            for number in range(5):
                notifier = system.notifier(f"notifier-{number}", config(receiver))
                before = len(receiver.taken)
                receiver.answers.extend([(503, {}), (500, {})])
                eventually(
                    lambda: len(receiver.taken) > before + 20,  # noqa: B023
                    within=60,
                    what="further deliveries",
                )
                time.sleep(rng.uniform(0.0, 0.7))
                notifier.kill()
            system.notifier("notifier-last", config(receiver))
            expected = {alert(number).alert_id for number in range(ALERTS)}
            eventually(lambda: set(receiver.alert_ids) >= expected, within=90, what="every alert")
            seen = Counter(receiver.alert_ids)
            assert set(seen) == expected
            repeats = sum(seen.values()) - len(seen)
            print(f"{repeats} repeats of {ALERTS} alerts after 5 kills")  # noqa: T201
            assert repeats <= 5 * IN_FLIGHT
            by_id: dict[str, set[str]] = {}
            for request in receiver.taken:
                by_id.setdefault(request.headers["webhook-id"], set()).update(request.alert_ids)
            assert all(len(ids) == 1 for ids in by_id.values())
            eventually(
                lambda: delivered(system) == ALERTS, within=30, what="the whole ledger delivered"
            )
        finally:
            stop.set()
            publisher.join()


def test_worker_and_notifier_killed(system: System, seed: int) -> None:
    """Both SIGKILLed at random moments: whoever drops known ids has each stored alert once."""
    rng = random.Random(seed)
    with receiving() as receiver:
        system.producer(12_000, rate=900)
        worker = system.worker("worker-0")
        notifier = system.notifier("notifier-0", config(receiver))
        for number in range(1, 4):
            before = len(receiver.taken)
            eventually(
                lambda: len(receiver.taken) > before + 50,  # noqa: B023
                within=60,
                what="further deliveries",
            )
            time.sleep(rng.uniform(0.0, 0.7))
            worker.kill()
            notifier.kill()
            worker = system.worker(f"worker-{number}")
            notifier = system.notifier(f"notifier-{number}", config(receiver))
        eventually(system.ended, within=120, what="the producer's end")
        system.settle(within=90)
        eventually(lambda: stored(system) == set(receiver.alert_ids), within=60, what="every alert")
        assert len(stored(system)) > 1_000


def stored(system: System) -> set[str]:
    """Ids of the alerts in the table."""
    return {str(row[0]) for row in system.ask("SELECT toString(alert_id) FROM alerts")}


def delivered(system: System) -> int:
    """How many deliveries the ledger shows as made."""
    table = f"{system.settings.clickhouse_database}.alert_deliveries"
    query = f"SELECT uniqExact(delivery_id) FROM {table} WHERE state = 'delivered'"
    return int(system.ask(query)[0][0])
