"""A worker that dies loses nothing and doubles nothing."""

from __future__ import annotations

import random
import time

import pytest

from tests.harness.system import System
from tests.stack.poll import eventually

pytestmark = [pytest.mark.real, pytest.mark.fault, pytest.mark.timeout(300)]


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
    system.producer(40_000, rate=2_500)
    first = system.worker("worker-a")
    eventually(lambda: system.count() > 2_000, within=60, what="appends of the first worker")
    others = [system.worker("worker-b"), system.worker("worker-c")]
    mark = system.count()
    eventually(lambda: system.count() > mark + 12_000, within=90, what="appends of three workers")
    assert first.stop(within=20) == 0
    assert others[0].stop(within=20) == 0
    eventually(system.ended, within=120, what="the producer's end")
    system.settle(within=90)


def test_zombie(system: System) -> None:
    """A worker stopped past its session, its partitions taken over, and continued."""
    system.producer(40_000, rate=2_500)
    zombie = system.worker("zombie")
    eventually(lambda: system.count() > 4_000, within=60, what="appends of the first worker")
    zombie.pause()
    heir = system.worker("heir")
    mark = system.count()
    eventually(lambda: system.count() > mark + 6_000, within=90, what="appends of the heir")
    zombie.resume()
    eventually(system.ended, within=120, what="the producer's end")
    system.settle(within=90)
    assert zombie.alive()
    assert heir.alive()
