"""A worker that dies loses nothing and doubles nothing."""

from __future__ import annotations

import random
import threading
import time
from urllib.parse import urlsplit

import pytest

from tests.harness.system import System
from tests.stack.clickhouse import ClickHouseServer
from tests.stack.poll import eventually
from tests.stack.process import Process
from tests.store.proxy import Proxy

pytestmark = [pytest.mark.real, pytest.mark.fault, pytest.mark.timeout(300)]


def holds_partitions(worker: Process) -> bool:
    """Whether a worker has been given partitions."""
    return '"event": "assigned"' in worker.log.read_text()


def test_worker_killed_at_random_times(system: System, seed: int) -> None:
    """SIGKILL at random moments, restarted each time, under load."""
    rng = random.Random(seed)
    producer = system.producer(60_000, rate=1_200)
    for number in range(5):
        worker = system.worker(f"worker-{number}")
        before = system.count()
        eventually(lambda: system.count() > before, within=60, what="a further append")  # noqa: B023
        time.sleep(rng.uniform(0.0, 1.0))
        worker.kill()
    system.worker("worker-last")
    eventually(system.ended, within=120, what="the producer's end")
    assert producer.wait(30) == 0
    system.settle(within=90)


def test_worker_told_to_stop_drains(system: System) -> None:
    """SIGTERM under load: what was read is settled, the exit code is 0, and nothing is redone."""
    system.producer(20_000, rate=4_000)
    worker = system.worker()
    eventually(lambda: system.count() > 3_000, within=60, what="appends")
    assert worker.stop(within=20) == 0
    system.worker("worker-2")
    eventually(system.ended, within=120, what="the producer's end")
    system.settle(within=60)


def test_one_then_three_then_one(system: System) -> None:
    """Workers come and go under load; the partitions change hands."""
    system.producer(60_000, rate=2_500)
    first = system.worker("worker-a")
    eventually(lambda: system.count() > 2_000, within=60, what="appends of the first worker")
    others = [system.worker("worker-b"), system.worker("worker-c")]
    for other in others:
        eventually(lambda: holds_partitions(other), within=60, what="a share for each")  # noqa: B023
    mark = system.count()
    eventually(
        lambda: system.count() > mark + 5_000 or system.ended(),
        within=90,
        what="appends of three workers",
    )
    assert first.stop(within=20) == 0
    assert others[0].stop(within=20) == 0
    eventually(system.ended, within=120, what="the producer's end")
    system.settle(within=90)


def test_zombie(system: System, clickhouse_server: ClickHouseServer) -> None:
    """A worker stopped past its session with half of an append sent, its partitions taken over.

    The server gets the other half after the heir has appended behind the same watermark, then
    the worker goes on: what it had under way lands nowhere twice.
    """
    held, go_on = threading.Event(), threading.Event()
    with Proxy(urlsplit(clickhouse_server.url).port or 0) as proxy:
        # Its append is under way for longer than it takes to inherit its partitions.
        zombie = system.worker("zombie", clickhouse_url=proxy.url, append_timeout_seconds=60.0)

        def stop(token: str) -> None:
            if token.startswith(("alerts:", "rejects:")):
                return
            proxy.before_rows = None
            zombie.pause()
            held.set()
            go_on.wait(60)

        system.producer(40_000, rate=2_500)
        eventually(lambda: system.count() > 4_000, within=60, what="appends of the first worker")
        proxy.before_rows = stop
        assert held.wait(30)
        heir = system.worker("heir")
        mark = system.count()
        try:
            eventually(lambda: system.count() > mark + 6_000, within=90, what="appends of the heir")
        finally:
            go_on.set()
        zombie.resume()
        eventually(system.ended, within=120, what="the producer's end")
        system.settle(within=90)
        assert zombie.alive()
        assert heir.alive()
        assert zombie.stop(within=30) == 0
