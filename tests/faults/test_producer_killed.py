"""A producer that dies with the broker away loses no event whose emit returned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.system import System
from tests.stack.clickhouse import ClickHouseServer
from tests.stack.fixtures import NewKafka
from tests.stack.poll import eventually

pytestmark = [pytest.mark.real, pytest.mark.fault, pytest.mark.timeout(300)]


def test_producer_killed_with_the_broker_away(
    new_kafka: NewKafka, clickhouse_server: ClickHouseServer, tmp_path: Path
) -> None:
    """Broker killed, then the producer; the next producer of the service sends what was spooled."""
    kafka = new_kafka()
    with System(kafka.bootstrap, clickhouse_server.url, tmp_path) as system:
        system.worker()
        doomed = system.producer(100_000, rate=1_000, seed=1)
        eventually(lambda: system.count() > 500, within=60, what="first appends")
        kafka.kill()
        told = len(system.accepted().events)
        eventually(
            lambda: len(system.accepted().events) > told + 2_000,
            within=60,
            what="events accepted with the broker away",
        )
        doomed.kill()
        kafka.start()
        system.producer(100, seed=2)
        eventually(system.ended, within=90, what="the second producer's end")
        system.settle(within=90)
