"""Rejected records: stored once, whoever stores them; listed and found again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import polars as pl
import pytest

from auditstream.errors import AbandonedError
from auditstream.store.columns import REJECT_SCHEMA
from auditstream.store.connection import Store
from auditstream.store.rejects import INSERT_BYTES, append_rejects, get_reject, list_rejects
from tests.store.conftest import NewProxy, NewStore
from tests.store.proxy import CUT_REQUEST, LOSE_ANSWER
from tests.store.rows import reject_rows

WRITERS = 4
ROUNDS = 4
NEVER = Event()


def places(store: Store) -> list[tuple[int, int]]:
    """Return partition and offset of every stored reject, in order."""
    return (
        list_rejects(store, limit=1_000)
        .select("kafka_partition", "kafka_offset")
        .sort("kafka_partition", "kafka_offset")
        .rows()
    )


def test_records_come_back_as_they_were(store: Store) -> None:
    """Every column comes back, bytes that are no text included, and absent keys and values."""
    absent = reject_rows([7], partition=2).with_columns(
        key=pl.lit(None, pl.Binary), value=pl.lit(None, pl.Binary)
    )
    frame = pl.concat([reject_rows([3, 4, 9]), absent])
    append_rejects(store, frame, NEVER)
    found = list_rejects(store)
    assert found.schema == pl.Schema(REJECT_SCHEMA)
    assert found.sort("kafka_partition", "kafka_offset").equals(frame)


def test_a_batch_can_be_repeated(store: Store) -> None:
    """Records that are stored are left as they are, new ones between them are added."""
    first = reject_rows([5, 9])
    append_rejects(store, first, NEVER)
    again = reject_rows([4, 5, 6, 9, 10, 10], seed=2)
    append_rejects(store, again, NEVER)
    append_rejects(store, pl.concat([again, first]), NEVER)
    assert places(store) == [(0, offset) for offset in (4, 5, 6, 9, 10)]
    kept = get_reject(store, "audit.events", 0, 5)
    assert kept.equals(first[:1])


def test_writers_at_once(store: Store, new_store: NewStore, url: str) -> None:
    """Writers that store overlapping batches at the same time leave each record once."""
    stores = [new_store(url) for _ in range(WRITERS)]
    for turn in range(ROUNDS):
        barrier = Barrier(WRITERS)
        base = turn * 100

        def write(number: int, base: int = base, barrier: Barrier = barrier) -> None:
            offsets = list(range(base + 3 * number, base + 3 * number + 10))
            barrier.wait(30.0)
            batch = [reject_rows(offsets, partition=partition) for partition in (0, 1)]
            append_rejects(stores[number], pl.concat(batch), NEVER)

        with ThreadPoolExecutor(WRITERS) as threads:
            for done in [threads.submit(write, number) for number in range(WRITERS)]:
                done.result(60.0)
        last = 3 * (WRITERS - 1) + 10
        expected = [100 * number + offset for number in range(turn + 1) for offset in range(last)]
        assert places(store) == [(partition, offset) for partition in (0, 1) for offset in expected]


def test_lost_messages(store: Store, new_store: NewStore, new_proxy: NewProxy) -> None:
    """Whatever gets lost on the way, each record is stored once."""
    proxy = new_proxy()
    proxy.faults.extend([LOSE_ANSWER, CUT_REQUEST, LOSE_ANSWER])
    through = new_store(proxy.url)
    for first in (0, 5, 10):
        append_rejects(through, reject_rows(list(range(first, first + 8))), NEVER)
    assert places(store) == [(0, offset) for offset in range(18)]
    assert not proxy.faults


def test_large_records_travel_apart(store: Store, new_store: NewStore, new_proxy: NewProxy) -> None:
    """Records of many bytes go in several statements, and all arrive."""
    size = INSERT_BYTES // 3
    frame = reject_rows(list(range(5))).with_columns(value=pl.lit(b"\xff" * size))
    proxy = new_proxy()
    append_rejects(new_store(proxy.url, bound=30.0), frame, NEVER)
    assert len(proxy.tokens) > 1
    assert list_rejects(store)["value"].bin.size().to_list() == [size] * 5


def test_nothing_to_store(store: Store) -> None:
    """An empty frame is fine."""
    append_rejects(store, reject_rows([]), NEVER)
    assert places(store) == []


def test_listing(store: Store) -> None:
    """Rejects are listed by reason, page by page, and found by their place."""
    append_rejects(store, reject_rows(list(range(20))), NEVER)
    all_of_them = list_rejects(store)
    assert all_of_them["kafka_offset"].to_list() == list(range(19, -1, -1))
    pages = [list_rejects(store, limit=8, offset=offset) for offset in (0, 8, 16)]
    assert pl.concat(pages).equals(all_of_them)
    for reason in ("not_avro", "it's none"):
        expected = all_of_them.filter(pl.col("reason") == reason)
        assert list_rejects(store, reason=reason).equals(expected)
    assert get_reject(store, "audit.events", 0, 20).is_empty()
    assert get_reject(store, "it's another", 0, 1).is_empty()


def test_an_abandoned_store(store: Store) -> None:
    """Nothing is stored once it is abandoned."""
    abandoned = Event()
    abandoned.set()
    with pytest.raises(AbandonedError):
        append_rejects(store, reject_rows([1]), abandoned)
    assert places(store) == []
