"""The walk over datums."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from typing import Any

import fastavro
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.contract.fields import event_fields
from auditstream.contract.schemas import FRAME, load_schema
from auditstream.pipeline.container import join
from auditstream.pipeline.datum import parse_writer
from auditstream.pipeline.structure import doubtful
from tests.pipeline.events import encode, event
from tests.pipeline.strategies import wild_events


def doubts(*values: bytes) -> list[bool]:
    sizes = np.array([len(value) for value in values], np.int64)
    found: list[bool] = doubtful(join(values, sizes).datums, event_fields()).tolist()
    return found


def read_to_the_end(value: bytes) -> bool:
    source = BytesIO(value)
    source.seek(FRAME.size)
    fastavro.schemaless_reader(source, parse_writer(load_schema("audit_event")), None)
    return source.tell() == len(value)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(wild_events(), min_size=1, max_size=5))
def test_whole_datums_are_beyond_doubt(events: list[dict[str, Any]]) -> None:
    """Whatever an event says, its datum is well-formed."""
    assert not any(doubts(*(encode(item) for item in events)))


@settings(derandomize=True, deadline=None, max_examples=250)
@given(wild_events(), st.data())
def test_what_is_not_doubted_can_be_read(item: dict[str, Any], data: st.DataObject) -> None:
    """A damaged datum is doubted, or another reader reads it from its first byte to its last."""
    value = bytearray(encode(item | {"event_id": "x", "occurred_at": 0}))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(FRAME.size, len(value) - 1))
        if data.draw(st.booleans()):
            value[place] = data.draw(st.sampled_from([0, 1, 2, 3, 0x7F, 0x80, 0xFF]))
        else:
            del value[place : place + data.draw(st.integers(1, 3))]
    if len(value) > FRAME.size and not doubts(encode(event()), bytes(value), encode(event()))[1]:
        with suppress(UnicodeDecodeError):
            assert read_to_the_end(bytes(value))


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_any_bytes(bodies: list[bytes]) -> None:
    """Arbitrary bytes are doubted and cost no neighbour its good name."""
    values = [b for body in bodies for b in (encode(event()), bytes(FRAME.size) + body)]
    assert doubts(*values)[::2] == [False] * len(bodies)


def test_neighbours_do_not_matter() -> None:
    """A cut datum is doubted although the bytes that follow would complete it."""
    value = encode(event("connection_deleted"))
    assert doubts(value[:-3], value) == [True, False]
    assert doubts(value, value + b"\0", value) == [False, True, False]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\x02\x04u1", b"\x04\x04u1"),
        (b"\x02\x04u1", b"\x01\x04u1"),
        (b"\x02\x04u1", b"\x02\x03u1"),
        (b"\x02\x04u1", b"\x02\xfe\xff\xff\xff\x0fu1"),
        (b"\x02\x04u1", b"\x02" + b"\xff" * 10 + b"\x01u1"),
        (b"\x02\x02\x04u1", b"\x0a\x02\x04u1"),
    ],
    ids=["branch 2", "branch -1", "length -2", "length 2^31", "11 bytes of length", "symbol 5"],
)
def test_illegal_numbers(old: bytes, new: bytes) -> None:
    """Branches, lengths and symbols that do not exist are doubted."""
    value = encode(event())
    assert value.count(old) == 1
    assert doubts(value, value.replace(old, new)) == [False, True]


def test_long_arrays_are_left_in_doubt() -> None:
    """An array of more items than are walked over is doubted, one of fewer is not."""
    few = encode(event(changes=[{"field": "f"}] * 100))
    many = encode(event(changes=[{"field": "f"}] * 1_000))
    assert doubts(few, many) == [False, True]
