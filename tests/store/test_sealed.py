"""Sealed events are the events they were made of, alone and as pieces of one append."""

from __future__ import annotations

import random
import threading

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from auditstream.store.append import append_sealed
from auditstream.store.arrow import arrow_body, join_bodies
from auditstream.store.columns import REJECTS, Schema
from auditstream.store.connection import Store
from auditstream.store.sealed import SENT, seal
from tests.store.rows import STREAM, event_rows, reject_rows

WORDS: Schema = {"action": pl.String, "country": pl.String, "role": pl.String}


def with_words(frame: pl.DataFrame, draw: random.Random) -> pl.DataFrame:
    """Give the words of a frame values from a vocabulary that may be small or large."""
    size = draw.choice([1, 2, 3, 200])
    words = [f"{draw.choice('abc')}{number}" for number in range(size)]
    maybe: list[str | None] = [None, *words]
    values = {
        "action": draw.choices(words, k=frame.height),
        "country": draw.choices(words, k=frame.height),
        "role": draw.choices(maybe, k=frame.height),
    }
    return frame.with_columns(pl.DataFrame(values, schema=WORDS))


def test_a_frame_comes_back() -> None:
    """Reading sealed events gives the frame, in much less memory until then."""
    frame = event_rows(2_000)
    sealed = seal(frame)
    assert_frame_equal(sealed.frame(), frame)
    assert (sealed.stream, sealed.partition, sealed.rows) == (STREAM, 0, 2_000)
    assert (sealed.first, sealed.last) == (0, 1_999)
    assert len(sealed.body) * 2 < frame.estimated_size()


@pytest.mark.parametrize("seed", range(3))
def test_each_piece_has_words_of_its_own(store: Store, seed: int) -> None:
    """In an append of many pieces no word is taken for one of another piece."""
    draw = random.Random(seed)
    frames = [
        with_words(event_rows(draw.randrange(1, 60), first=1_000 * number, seed=number), draw)
        for number in range(25)
    ]
    append_sealed(store, STREAM, 0, None, [seal(frame) for frame in frames], threading.Event())
    names = ", ".join(["kafka_offset", *WORDS])
    stored = store.query_frame(f"SELECT {names} FROM {store.database}.events ORDER BY kafka_offset")
    sent = pl.concat(frames).select("kafka_offset", *WORDS)
    assert_frame_equal(stored.cast(sent.schema), sent)
    parts = store.query_frame(f"SELECT uniqExact(_part) FROM {store.database}.events")
    assert parts.item() == 1


def test_all_arrive_at_once(store: Store) -> None:
    """All rows of an append get the newest time of arrival among its pieces."""
    frames = [event_rows(10), event_rows(5, first=10)]
    append_sealed(store, STREAM, 0, None, [seal(frame) for frame in frames], threading.Event())
    found = store.query_frame(f"SELECT DISTINCT ingested_at FROM {store.database}.events")
    assert found["ingested_at"].to_list() == [frames[0]["ingested_at"][0]]


def test_pieces_in_order(store: Store) -> None:
    """Pieces that overlap are not sent."""
    pieces = [seal(event_rows(10)), seal(event_rows(10, first=9))]
    with pytest.raises(ValueError, match="begins at offset 9, not after 9"):
        append_sealed(store, STREAM, 0, None, pieces, threading.Event())
    assert store.query_frame(f"SELECT count() FROM {store.database}.events").item() == 0


def test_streams_of_other_columns() -> None:
    """Streams that do not have the same columns are not joined."""
    bodies = [arrow_body(event_rows(3), SENT), arrow_body(reject_rows([1]), REJECTS)]
    with pytest.raises(ValueError, match="different columns"):
        join_bodies(bodies)
