"""A notifier that dies, alone or together with its worker, loses no alert."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditstream.alerts.records import Record, send_records
from auditstream.alerts.topic import encode_alert
from tests.alerts.receiver import SECRET, Receiver, receiving
from tests.alerts.samples import alert
from tests.faults.expected import expected_alerts
from tests.harness.system import System
from tests.stack.clickhouse import ClickHouseServer
from tests.stack.kafka import KafkaServer
from tests.stack.poll import eventually

pytestmark = [pytest.mark.real, pytest.mark.fault, pytest.mark.timeout(300)]

MANY_GRANTS = """\
title: Any access granted
name: any_grant
logsource: {product: analyst_studio, service: audit}
detection:
  selection: {action: connection_member_added_with_role}
  condition: selection
level: low
---
title: Many grants
name: many_grants
level: medium
correlation:
  type: event_count
  rules: [any_grant]
  group-by: [workspace_id, actor_id]
  timespan: 10m
  condition: {gte: 5}
auditstream:
  sentence: "{actor} granted access {count} times within {timespan}"
  reason: Somebody may be handing out access.
  window: 1m
"""

KILLS = 2
"""Each costs the session of the killed one."""

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
            for number in range(KILLS):
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
            print(f"{repeats} repeats of {ALERTS} alerts after {KILLS} kills")  # noqa: T201
            assert repeats <= KILLS * IN_FLIGHT
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


@pytest.fixture
def ruled(
    kafka_server: KafkaServer, clickhouse_server: ClickHouseServer, tmp_path: Path
) -> Iterator[System]:
    """A system with a rule over several events besides the built-in ones."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "grants.yml").write_text(MANY_GRANTS)
    servers = kafka_server.bootstrap, clickhouse_server.url
    with System(*servers, tmp_path, rules_dir=rules) as made:
        yield made


def test_worker_and_notifier_killed(ruled: System, seed: int) -> None:
    """Both SIGKILLed at random moments: whoever drops known ids has each stored alert once."""
    rng = random.Random(seed)
    with receiving() as receiver:
        ruled.producer(12_000, rate=900)
        worker = ruled.worker("worker-0")
        notifier = ruled.notifier("notifier-0", config(receiver))
        for number in range(1, KILLS + 1):
            before = len(receiver.taken)
            eventually(
                lambda: len(receiver.taken) > before + 50,  # noqa: B023
                within=60,
                what="further deliveries",
            )
            time.sleep(rng.uniform(0.0, 0.7))
            worker.kill()
            notifier.kill()
            worker = ruled.worker(f"worker-{number}")
            notifier = ruled.notifier(f"notifier-{number}", config(receiver))
        eventually(ruled.ended, within=120, what="the producer's end")
        ruled.settle(within=90)
        every_alert_told(ruled, receiver)
        assert len(stored(ruled)) > 1_000


def test_rebalances(ruled: System) -> None:
    """Workers and notifiers come and go, one of each by SIGKILL: no alert is lost."""
    with receiving() as receiver:
        ruled.producer(12_000, rate=900)
        first = ruled.worker("worker-a")
        notifier = ruled.notifier("notifier-a", config(receiver))
        eventually(lambda: len(receiver.taken) > 50, within=60, what="deliveries")
        second = ruled.worker("worker-b")
        ruled.notifier("notifier-b", config(receiver))
        mark = ruled.count()
        eventually(more_than(ruled, mark + 1_500), within=60, what="appends of two workers")
        assert first.stop(within=20) == 0
        assert notifier.stop(within=20) == 0
        ruled.worker("worker-c")
        mark = ruled.count()
        eventually(more_than(ruled, mark + 1_000), within=60, what="appends of the heirs")
        second.kill()
        eventually(ruled.ended, within=120, what="the producer's end")
        ruled.settle(within=90)
        every_alert_told(ruled, receiver)


def more_than(system: System, events: int) -> Callable[[], bool]:
    """Tell whether more events are stored, or no more will come."""
    return lambda: system.count() > events or system.ended()


def every_alert_told(system: System, receiver: Receiver) -> None:
    """What the stored events call for is in the table and came to the receiver, nothing else."""
    expected = expected_alerts(system)
    assert {"many_grants", "connection_manage_granted_to_member"} <= set(expected.values())
    eventually(lambda: stored(system) >= expected.keys(), within=60, what="every alert stored")
    eventually(lambda: stored(system) == set(receiver.alert_ids), within=60, what="every alert")


def stored(system: System) -> set[str]:
    """Ids of the alerts in the table."""
    return {str(row[0]) for row in system.ask("SELECT toString(alert_id) FROM alerts")}


def delivered(system: System) -> int:
    """How many deliveries the ledger shows as made."""
    table = f"{system.settings.clickhouse_database}.alert_deliveries"
    query = f"SELECT uniqExact(delivery_id) FROM {table} WHERE state = 'delivered'"
    return int(system.ask(query)[0][0])
