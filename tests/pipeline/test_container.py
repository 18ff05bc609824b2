"""Datums joined into one container."""

from __future__ import annotations

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from auditstream.pipeline.container import Container, join, read
from auditstream.pipeline.decode import DECODED_SCHEMA
from tests.pipeline.events import encode, event


def joined(*values: bytes) -> Container:
    return join(values, np.array([len(value) for value in values], np.int64))


def test_rows_in_order() -> None:
    """Each datum is one row, in the order of the values, in the columns of an event."""
    values = [encode(event(number=number)) for number in (3, 1, 2)]
    frame = read(joined(*values))
    assert frame is not None
    assert dict(frame.schema) == DECODED_SCHEMA
    assert frame["source_sequence"].to_list() == [3, 1, 2]


def test_optional_records() -> None:
    """An optional record is its columns, which are null where it is absent."""
    absent, member = event(), event("org_user_invited")
    frame = read(joined(encode(absent), encode(member)))
    assert frame is not None
    assert frame["member_id"].to_list() == [None, "u2"]
    assert frame["member_username"].to_list() == [None, "bob"]
    assert frame["group_id"].to_list() == [None, None]


def test_nothing() -> None:
    """No value gives no row."""
    frame = read(joined())
    assert frame is not None
    assert frame.is_empty()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_not_utf8(place: int) -> None:
    """Nothing is returned when a string is not UTF-8."""
    values = [encode(event())] * 3
    values[place] = values[place].replace(b"acme", b"ac\xffe")
    assert read(joined(*values)) is None


def test_each_datum_ends_at_its_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two datums that would fit together otherwise than they were sent are not taken."""
    first, second = encode(event()), encode(event("connection_deleted"))
    whole = joined(first, second)
    frame = read(whole)
    assert frame is not None
    assert read(whole._replace(guard=bytes(16))) is None
    # The same bytes, cut at another place: a guard then stands within a datum.
    monkeypatch.setattr("secrets.token_bytes", bytes)
    assert read(joined(first + bytes(1), second)) is None


def test_sources_agree() -> None:
    """Reading one by one and reading together give the same rows."""
    values = [encode(event(name)) for name in ("group_created", "collection_group_added")]
    together = read(joined(*values))
    alone = [read(joined(value)) for value in values]
    assert together is not None
    for number, frame in enumerate(alone):
        assert frame is not None
        assert_frame_equal(together[number : number + 1], frame)
