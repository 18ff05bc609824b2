"""ClickHouse dies or stands still: the workers wait, nothing is lost, nothing is doubled."""

from __future__ import annotations

import random
import time

import psutil
import pytest

from tests.harness.system import System
from tests.stack.clickhouse import ClickHouseServer
from tests.stack.poll import eventually

pytestmark = [pytest.mark.real, pytest.mark.fault, pytest.mark.timeout(300)]


def test_clickhouse_killed_under_load(
    fragile: System, own_clickhouse: ClickHouseServer, seed: int
) -> None:
    """SIGKILL at random moments, started again on its directory each time."""
    rng = random.Random(seed)
    fragile.producer(60_000, rate=2_500)
    worker = fragile.worker()
    for _ in range(5):
        before = fragile.count()
        eventually(lambda: fragile.count() > before, within=60, what="a further append")  # noqa: B023
        time.sleep(rng.uniform(0.0, 0.7))
        own_clickhouse.kill()
        own_clickhouse.start()
    eventually(fragile.ended, within=120, what="the producer's end")
    fragile.settle(within=90)
    assert worker.alive()


def test_clickhouse_stopped_for_20_seconds(
    fragile: System, own_clickhouse: ClickHouseServer
) -> None:
    """SIGSTOP for 20 s under load: memory stays bounded, and the worker goes on by itself."""
    fragile.producer(60_000, rate=2_500)
    worker = fragile.worker()
    eventually(lambda: fragile.count() > 3_000, within=60, what="appends")
    own_clickhouse.pause()
    deadline = time.monotonic() + 20
    largest = 0
    while time.monotonic() < deadline:
        largest = max(largest, psutil.Process(worker.pid).memory_info().rss)
        time.sleep(0.5)
    own_clickhouse.resume()
    assert largest < 1 << 30
    eventually(fragile.ended, within=120, what="the producer's end")
    fragile.settle(within=90)
    assert worker.alive()
