"""Datums joined into one container."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from auditstream.pipeline.container import Container, join, read
from auditstream.pipeline.decode import DECODED_SCHEMA
from tests.pipeline.events import encode, event


def joined(*values: bytes) -> Container:
    return join(values, np.array([len(value) for value in values], np.int64))


def events(container: Container) -> pl.DataFrame:
    reading = read(container)
    assert reading is not None
    assert reading.garbled == []
    return reading.events


def test_rows_in_order() -> None:
    """Each datum is one row, in the order of the values, in the columns of an event."""
    values = [encode(event(number=number)) for number in (3, 1, 2)]
    frame = events(joined(*values))
    assert dict(frame.schema) == DECODED_SCHEMA
    assert frame["source_sequence"].to_list() == [3, 1, 2]


def test_optional_records() -> None:
    """An optional record is its columns, which are null where it is absent."""
    absent, member = event(), event("org_user_invited")
    frame = events(joined(encode(absent), encode(member)))
    assert frame["member_id"].to_list() == [None, "u2"]
    assert frame["member_username"].to_list() == [None, "bob"]
    assert frame["group_id"].to_list() == [None, None]


def test_nothing() -> None:
    """No value gives no row."""
    assert events(joined()).is_empty()


@pytest.mark.parametrize("places", [[0], [1], [2], [0, 39], list(range(40))])
@pytest.mark.parametrize("text", [b"acme", b"garbled"])
def test_not_utf8(places: list[int], text: bytes) -> None:
    """A datum with a string that is not UTF-8 is left out and told, also within an array."""
    metadata = [{"key": "note", "value": "garbled"}]
    values = [encode(event(metadata=metadata, number=number)) for number in range(40)]
    for place in places:
        values[place] = values[place].replace(text, b"\xff" + text[1:], 1)
    reading = read(joined(*values))
    assert reading is not None
    assert reading.garbled == places
    rest = [number for number in range(40) if number not in places]
    assert reading.events["source_sequence"].to_list() == rest
    assert dict(reading.events.schema) == DECODED_SCHEMA


def test_each_datum_ends_at_its_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two datums that would fit together otherwise than they were sent are not taken."""
    first, second = encode(event()), encode(event("connection_deleted"))
    whole = joined(first, second)
    assert events(whole).height == 2
    assert read(whole._replace(guard=bytes(16))) is None
    # The same bytes, cut at another place: a guard then stands within a datum.
    monkeypatch.setattr("secrets.token_bytes", bytes)
    assert read(joined(first + bytes(1), second)) is None


def test_sources_agree() -> None:
    """Reading one by one and reading together give the same rows."""
    values = [encode(event(name)) for name in ("group_created", "collection_group_added")]
    together = events(joined(*values))
    for number, value in enumerate(values):
        assert_frame_equal(together[number : number + 1], events(joined(value)))
