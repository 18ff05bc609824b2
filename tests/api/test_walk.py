"""The conformance of a walk: 100,000 events page by page, while others arrive."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import polars as pl
import pytest
from starlette.testclient import TestClient

from auditstream.settings import Settings
from auditstream.store.append import append_events
from auditstream.store.connection import Store, connect
from auditstream.store.snapshot import read_snapshot
from tests.api.many import many_rows
from tests.stack.poll import eventually
from tests.store.rows import START, STREAM

PATH = "/api/workspace-0/audit_logs"
STORED = 100_000
BATCH = 2_500
PERIOD_SECONDS = 0.5
NEVER = threading.Event()


@pytest.fixture(scope="module")
def store(settings: Settings) -> Iterator[Store]:
    """Events of one workspace in two partitions; the same times occur in both."""
    with connect(settings) as store:
        for partition in (0, 1):
            append(store, many_rows(STORED // 2, partition=partition))
        yield store


def append(store: Store, frame: pl.DataFrame) -> None:
    partition, first = frame["kafka_partition"][0], frame["kafka_offset"][0]
    append_events(store, STREAM, partition, first - 1 if first else None, frame, NEVER)


@contextmanager
def arriving(settings: Settings) -> Iterator[list[int]]:
    """Store 5,000 events/s meanwhile, new ones and late ones; yield how many were stored so far."""
    stored = [0]
    done = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with connect(settings) as store:
                for number in itertools.count():
                    partition, round_ = number % 2, number // 2
                    # Every other round is late: it lies among what is walked through.
                    late = round_ % 2 == 0
                    start = START + (timedelta(seconds=round_) if late else timedelta(hours=20))
                    first = STORED // 2 + round_ * BATCH
                    append(store, many_rows(BATCH, partition=partition, first=first, start=start))
                    stored[0] += BATCH
                    if done.wait(PERIOD_SECONDS):
                        return
        except BaseException as failure:
            failures.append(failure)
            raise

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield stored
    finally:
        done.set()
        thread.join(30.0)
    assert not failures


def offset_of(event_id: str) -> tuple[int, int]:
    return divmod(int(event_id.rpartition("-")[2]), 10**9)


def test_walk_holds_what_was_stored_when_it_began(
    client: TestClient, settings: Settings, store: Store
) -> None:
    """Every event once, in order, none of those that came later, however deep the page."""
    with arriving(settings) as stored:
        eventually(lambda: stored[0] > 0, within=20.0, what="events to arrive")
        before = read_snapshot(store).offsets[STREAM]
        seen: list[tuple[str, str]] = []
        token: str | None = None
        for page in itertools.count():
            given = {"start_timestamp": "2025-03-01", "end_timestamp": "2026-01-01"}
            answer = client.get(PATH, params=given | ({"next_token": token} if token else {}))
            assert answer.status_code == 200, answer.text
            if page == 0:
                after = read_snapshot(store).offsets[STREAM]
            body = answer.json()
            seen += [(entry["timestamp"], entry["id"]) for entry in body["audit_logs"]]
            token = body["next_token"]
            if token is None:
                break
        assert stored[0] >= 2 * BATCH
    assert len(seen) >= STORED
    times = [time for time, _ in seen]
    assert times == sorted(times, reverse=True)
    places = [offset_of(event_id) for _, event_id in seen]
    assert len(set(places)) == len(places)
    for partition in (0, 1):
        offsets = sorted(offset for held, offset in places if held == partition)
        assert offsets == list(range(len(offsets)))
        assert before[partition] <= offsets[-1] <= after[partition]
