"""Compare-and-append and the watermark, on the embedded ClickHouse and on a real server."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import product

import polars as pl
import pytest

from auditstream.errors import AbandonedError, StoreError, WatermarkMovedError
from auditstream.store.append import append_events, append_sealed
from auditstream.store.columns import EVENT_SCHEMA, EVENTS
from auditstream.store.connection import Store
from auditstream.store.migrate import migrate
from auditstream.store.sealed import seal
from auditstream.store.watermark import read_watermark, read_watermarks
from tests.stack.fixtures import NewClickHouse
from tests.stack.ports import free_port
from tests.store.conftest import NewProxy, NewStore, store_at
from tests.store.proxy import CUT_REQUEST, LOSE_ANSWER, Fault
from tests.store.rows import STREAM, event_rows

NEVER = threading.Event()
RACES = 12
FAULTS: tuple[Fault, ...] = (CUT_REQUEST, LOSE_ANSWER)


def append(store: Store, expected: int | None, frame: pl.DataFrame) -> None:
    append_events(store, STREAM, 0, expected, frame, NEVER)


def stored_offsets(store: Store, partition: int = 0) -> list[int]:
    rows = store.query_frame(
        f"SELECT kafka_offset FROM {store.database}.events "
        f"WHERE kafka_partition = {partition} ORDER BY kafka_offset"
    )
    return rows["kafka_offset"].to_list()


def race(*calls: Callable[[], None]) -> list[BaseException | None]:
    """Run the calls at the same time; return what each raised."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], None]) -> None:
        barrier.wait(30.0)
        call()

    with ThreadPoolExecutor(len(calls)) as threads:
        futures = [threads.submit(run, call) for call in calls]
        return [future.exception(60.0) for future in futures]


def held_rivals(new_store: NewStore, new_proxy: NewProxy) -> list[Store]:
    """Return two ways to the server that both pass the guard before either lands.

    Rows are held back until the server has both statements.
    """
    both = threading.Barrier(2)
    rivals = []
    for _ in range(2):
        proxy = new_proxy()
        proxy.before_rows = lambda _: both.wait(30.0) if both.n_waiting < 2 else None
        rivals.append(new_store(proxy.url))
    return rivals


class TestAppend:
    """What holds on every ClickHouse."""

    def test_appends_follow_each_other(self, store: Store) -> None:
        """The watermark of each partition and stream is the last offset appended to it."""
        assert read_watermarks(store, STREAM) == {}
        assert read_watermark(store, STREAM, 0) is None
        append(store, None, event_rows(10, first=0))
        append(store, 9, event_rows(5, first=10))
        append_events(store, STREAM, 3, None, event_rows(1, first=0, partition=3), NEVER)
        other = event_rows(2, stream="other", first=40)
        append_events(store, "other", 0, None, other, NEVER)
        assert read_watermarks(store, STREAM) == {0: 14, 3: 0}
        assert read_watermark(store, "other", 0) == 41
        assert read_watermarks(store, "nobody's") == {}

    def test_rows_come_back_as_they_were(self, store: Store) -> None:
        """Every column of every row is stored unchanged."""
        frame = event_rows(200)
        append(store, None, frame)
        columns = ", ".join(
            f"toString(e.{name}) AS {name}" if name in ("event_id", "severity") else f"e.{name}"
            for name in EVENTS
        )
        found = store.query_frame(
            f"SELECT {columns} FROM {store.database}.events AS e ORDER BY e.kafka_offset"
        )
        assert found.cast(pl.Schema(EVENT_SCHEMA)).equals(frame)

    def test_offsets_may_have_holes(self, store: Store) -> None:
        """Offsets that are no events are passed over, at the start of a frame too."""
        append(store, None, event_rows(3, first=5, step=10))
        append(store, 25, event_rows(2, first=90))
        assert stored_offsets(store) == [5, 15, 25, 90, 91]

    def test_a_stream_may_have_any_name(self, store: Store) -> None:
        """Quotes, backslashes and ampersands of a stream's name are nothing special."""
        name = 'it\'s\\ a "stream" & {more:String}?\n%27'
        append_events(store, name, 0, None, event_rows(3, stream=name), NEVER)
        append_events(store, name, 0, 2, event_rows(3, first=3, stream=name), NEVER)
        assert read_watermarks(store, name) == {0: 5}

    @pytest.mark.parametrize("expected", [None, 3, 15])
    def test_a_stale_writer_is_refused(self, store: Store, expected: int | None) -> None:
        """An append after another watermark than the table's leaves nothing behind."""
        append(store, None, event_rows(10))
        with pytest.raises(WatermarkMovedError, match="the watermark at 9"):
            append(store, expected, event_rows(5, first=16))
        assert stored_offsets(store) == list(range(10))

    def test_an_append_can_be_repeated(self, store: Store) -> None:
        """A call that has landed succeeds again, and adds nothing."""
        frame = event_rows(10)
        append(store, None, frame)
        append(store, None, frame)
        assert stored_offsets(store) == list(range(10))

    def test_one_of_two_writers_lands(self, store: Store, new_store: NewStore, url: str) -> None:
        """Of two writers after the same watermark one lands, the other is told, every time."""
        rival = new_store(url)
        watermark = None
        for turn in range(RACES):
            first = 0 if watermark is None else watermark + 1
            frames = [event_rows(rows, first=first, seed=turn) for rows in (3, 4)]
            errors = race(
                partial(append, store, watermark, frames[0]),
                partial(append, rival, watermark, frames[1]),
            )
            assert [type(error) for error in errors if error] == [WatermarkMovedError]
            watermark = frames[errors.index(None)]["kafka_offset"][-1]
            assert stored_offsets(store) == list(range(watermark + 1))

    @pytest.mark.parametrize("pieces", [(1, 4), (4, 1), (3, 3), (1, 2), (3, 1)])
    def test_one_lands_whatever_the_pieces(
        self, store: Store, new_store: NewStore, new_proxy: NewProxy, pieces: tuple[int, int]
    ) -> None:
        """Writers of the same events in other pieces exclude each other, both past the guard."""
        frame = event_rows(12)
        split = [
            [seal(frame[start : start + 12 // count]) for start in range(0, 12, 12 // count)]
            for count in pieces
        ]
        errors = race(
            *(
                partial(append_sealed, rival, STREAM, 0, None, events, NEVER)
                for rival, events in zip(held_rivals(new_store, new_proxy), split, strict=True)
            )
        )
        assert errors == [None, None]
        assert stored_offsets(store) == list(range(12))

    def test_one_lands_when_a_month_begins(
        self, store: Store, new_store: NewStore, new_proxy: NewProxy
    ) -> None:
        """Two writers whose clocks stand on either side of a month's end exclude each other too."""
        append(store, None, event_rows(1, start=datetime(2025, 1, 31, 23, 59, tzinfo=UTC)))
        january = datetime(2025, 1, 31, 23, 59, 50, tzinfo=UTC)
        frames = [
            event_rows(3, first=1, start=january + timedelta(seconds=seconds))
            for seconds in (0, 20)
        ]
        assert [frame["ingested_at"][0].month for frame in frames] == [1, 2]
        rivals = held_rivals(new_store, new_proxy)
        errors = race(
            *(partial(append, *pair) for pair in zip(rivals, [0, 0], frames, strict=True))
        )
        # Either frame ends at the same offset: the loser finds its events stored.
        assert errors == [None, None]
        assert stored_offsets(store) == [0, 1, 2, 3]

    def test_an_append_is_one_part(self, store: Store, new_store: NewStore, url: str) -> None:
        """Rows enough for many blocks become one part, in the partition of the month before."""
        append(store, None, event_rows(1, start=datetime(2025, 2, 5, tzinfo=UTC)))
        few = event_rows(2_000, start=datetime(2025, 3, 5, tzinfo=UTC))
        text = pl.lit("x" * 2_000)
        many = pl.concat([few] * 100).with_columns(
            sentence=text, kafka_offset=pl.int_range(1, 200_001, dtype=pl.Int64)
        )
        append(new_store(url, bound=60.0), 0, many)
        parts = store.query_frame(
            f"SELECT count() AS rows, any(partition_month) AS month FROM {store.database}.events "
            "GROUP BY _part ORDER BY rows"
        )
        assert parts["rows"].to_list() == [1, 200_000]
        assert parts["month"].to_list() == [date(1970, 1, 1), date(2025, 2, 1)]

    def test_a_late_arrival_counts_for_all(self, store: Store) -> None:
        """Events of several fetches get the newest arrival among them."""
        frame = event_rows(4)
        later = frame["ingested_at"][0] + timedelta(days=40)
        fetches = [frame[:2], frame[2:].with_columns(ingested_at=later)]
        append(store, None, pl.concat(fetches, how="vertical_relaxed"))
        rows = store.query_frame(f"SELECT DISTINCT ingested_at FROM {store.database}.events")
        assert rows["ingested_at"].to_list() == [later]

    @pytest.mark.parametrize(
        ("frame", "expected", "complaint"),
        [
            (event_rows(2).clear(), None, "at least one event"),
            (event_rows(2, stream="other"), None, "another stream"),
            (event_rows(2, partition=1), None, "another partition"),
            (event_rows(2, first=7), 7, "begins at offset 7, not after 7"),
            (event_rows(3).reverse(), None, "do not ascend"),
            (pl.concat([event_rows(1), event_rows(1)]), None, "do not ascend"),
            (event_rows(2).drop("sentence"), None, "no column sentence"),
            (event_rows(2).with_columns(role_rank=pl.lit(-1)), None, "table's types"),
            (event_rows(2).with_columns(action=pl.lit(None)), None, "lacks a value in .* action"),
        ],
    )
    def test_a_wrong_frame_is_not_sent(
        self, store: Store, frame: pl.DataFrame, expected: int | None, complaint: str
    ) -> None:
        """A frame that would break the table's promises is refused, and says why."""
        with pytest.raises(ValueError, match=complaint):
            append(store, expected, frame)
        assert stored_offsets(store) == []

    def test_a_refusal_is_told(self, store: Store) -> None:
        """What the server refuses for another reason is raised with its code."""
        store.command(f"DROP TABLE {store.database}.events SYNC")
        with pytest.raises(StoreError, match="UNKNOWN_TABLE") as told:
            append(store, None, event_rows(2))
        assert told.value.code == 60


class TestLostMessages:
    """Requests and answers that get lost, on every ClickHouse."""

    def test_a_lost_answer(self, store: Store, new_store: NewStore, new_proxy: NewProxy) -> None:
        """An append whose answer is lost has landed, and lands only once."""
        proxy = new_proxy()
        through = new_store(proxy.url)
        proxy.faults.append(LOSE_ANSWER)
        append(through, None, event_rows(50))
        append(through, 49, event_rows(50, first=50))
        assert stored_offsets(store) == list(range(100))
        assert len(proxy.tokens) == 2

    def test_a_lost_request(self, store: Store, new_store: NewStore, new_proxy: NewProxy) -> None:
        """An append that is cut off is sent again under the same token, until it lands."""
        proxy = new_proxy()
        proxy.faults.extend([CUT_REQUEST] * 3)
        append(new_store(proxy.url), None, event_rows(50))
        assert stored_offsets(store) == list(range(50))
        assert len(proxy.tokens) == 4
        assert len(set(proxy.tokens)) == 1

    def test_a_lost_race(
        self, store: Store, new_store: NewStore, new_proxy: NewProxy, url: str
    ) -> None:
        """Writers after the same watermark exclude each other however their messages get lost."""
        watermark = None
        for turn, faults in enumerate(product(FAULTS, repeat=2)):
            first = 0 if watermark is None else watermark + 1
            frames = [event_rows(rows, first=first, seed=turn) for rows in (3, 4)]
            rivals = []
            for fault in faults:
                proxy = new_proxy()
                proxy.faults.append(fault)
                rivals.append(new_store(proxy.url))
            errors = race(
                *(
                    partial(append, *pair)
                    for pair in zip(rivals, [watermark] * 2, frames, strict=True)
                )
            )
            assert [type(error) for error in errors if error] == [WatermarkMovedError]
            watermark = frames[errors.index(None)]["kafka_offset"][-1]
            assert stored_offsets(store) == list(range(watermark + 1))

    def test_a_token_without_a_part(
        self, store: Store, new_store: NewStore, new_proxy: NewProxy
    ) -> None:
        """A token that was noted for rows that are not there blocks the append for its bound only.

        Rows of another stream under the token of this append stand for those that a crash took.
        """
        append(store, None, event_rows(5))
        proxy = new_proxy()
        through = new_store(proxy.url, bound=1.0)

        def use_up(_: str) -> None:
            proxy.before_rows = None
            store.command(
                f"INSERT INTO {store.database}.events (stream, kafka_partition, partition_month) "
                "SELECT 'lost', 7, '2025-03-01'",
                {"insert_deduplication_token": proxy.tokens[0]},
            )

        proxy.before_rows = use_up
        append(through, 4, event_rows(5, first=5))
        assert stored_offsets(store) == list(range(10))
        assert len(set(proxy.tokens)) == len(proxy.tokens) == 2

    def test_an_abandoned_append(self, new_store: NewStore) -> None:
        """An append that waits for a server that is away ends when it is abandoned."""
        abandoned = threading.Event()
        away = new_store(f"http://127.0.0.1:{free_port()}")

        def append_away() -> None:
            append_events(away, STREAM, 0, None, event_rows(5), abandoned)

        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(append_away)
            assert not wait([waiting], timeout=0.5).done
            abandoned.set()
            with pytest.raises(AbandonedError):
                waiting.result(30.0)
        with pytest.raises(AbandonedError):
            append_away()


@pytest.mark.real
@pytest.mark.fault
def test_a_server_that_is_killed(new_clickhouse: NewClickHouse) -> None:
    """Appends go on over SIGKILLs of the server: each lands once, in order."""
    server = new_clickhouse()
    rows, appends, kills = 200, 60, 5
    draw = random.Random(5)
    with store_at(server.url, "audit", bound=3.0) as store, ThreadPoolExecutor(1) as thread:
        migrate(store, 0)

        def write() -> None:
            for first in range(0, rows * appends, rows):
                append(store, first - 1 if first else None, event_rows(rows, first=first))

        writing = thread.submit(write)
        for _ in range(kills):
            time.sleep(draw.uniform(0.05, 0.4))
            server.kill()
            server.start()
        writing.result(120.0)
        assert stored_offsets(store) == list(range(rows * appends))
