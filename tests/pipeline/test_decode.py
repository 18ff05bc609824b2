"""From framed values to a frame of events."""

from __future__ import annotations

import copy
from io import BytesIO
from typing import Any

import fastavro
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from auditstream.contract.limits import MAX_EVENT_BYTES
from auditstream.contract.schemas import FRAME, frame, load_schema, shipped_id, shipped_schemas
from auditstream.errors import ServiceUnavailableError
from auditstream.pipeline.datum import datum_of
from auditstream.pipeline.decode import DECODED_SCHEMA, decode
from auditstream.pipeline.records import Batch, Records
from auditstream.pipeline.writers import SchemaSource, Writers
from auditstream.store.columns import REJECT_SCHEMA
from tests.pipeline.events import NOW, encode, event, records, typical_events
from tests.pipeline.strategies import wild_events

ID = shipped_id("audit_event")
VALUE = encode(event())
JSON = b'{"event_id": "0190163d-8694-739b-aea5-966c26f8ad91"}'


def decoded(given: Records, schemas: SchemaSource | None = None) -> Batch:
    return decode(given, Writers(schemas or shipped_schemas().get), NOW, MAX_EVENT_BYTES)


def written(schema: dict[str, Any], datum: dict[str, Any], schema_id: int) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema, named_schemas={}), datum)
    return frame(schema_id, out.getvalue())


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null_value"),
        (b"", "not_framed"),
        (VALUE[:4], "not_framed"),
        (JSON, "not_framed"),
        (b"\x01" + VALUE[1:], "not_framed"),
        (b"\0\0\0\0\x07" + VALUE[5:], "unknown_schema"),
        (frame(shipped_id("alert"), VALUE[5:]), "unknown_schema"),
        (VALUE[:5], "truncated"),
        (VALUE[:-1], "truncated"),
        (VALUE[:60], "truncated"),
        (VALUE + b"\0", "trailing_bytes"),
        (VALUE + VALUE, "trailing_bytes"),
        (VALUE.replace(b"acme", b"ac\xffe"), "invalid_utf8"),
        (VALUE.replace(b"acme", b"\xed\xa0\x80e"), "invalid_utf8"),
        (VALUE.replace(b"\x02\x04u1", b"\x08\x04u1"), "not_avro"),
        (VALUE.replace(b"\x02\x02\x04u1", b"\x7e\x02\x04u1"), "not_avro"),
        (VALUE + bytes(MAX_EVENT_BYTES), "too_large"),
    ],
)
def test_bad_values(value: bytes | None, reason: str) -> None:
    """A value that cannot be read is rejected with its reason and bytes; its neighbours stay."""
    batch = decoded(records([encode(event(number=1)), value, encode(event(number=3))]))
    assert batch.events["source_sequence"].to_list() == [1, 3]
    assert batch.events["kafka_offset"].to_list() == [100, 102]
    assert batch.rejects.to_dicts() == [
        {
            "stream": "cluster/audit.events/topic",
            "kafka_topic": "audit.events",
            "kafka_partition": 0,
            "kafka_offset": 101,
            "kafka_timestamp": NOW,
            "key": b"w1",
            "value": value,
            "reason": reason,
            "field": "",
            "message": batch.rejects["message"][0],
            "event_id": None,
            "rejected_at": NOW,
        }
    ]
    assert batch.rejects["message"][0]
    assert dict(batch.rejects.schema) == REJECT_SCHEMA


def test_null_key() -> None:
    """A record without a key is rejected, with its value; an empty key is one."""
    batch = decoded(records([VALUE, VALUE, VALUE], keys=[b"w1", None, b""]))
    assert batch.rejects.select("reason", "key", "value").rows() == [("null_key", None, VALUE)]
    assert batch.events["kafka_offset"].to_list() == [100, 102]


def test_largest_value() -> None:
    """A value of exactly the largest size is read."""
    metadata = [{"key": "k", "value": "x" * 60_000}] * 17
    size = MAX_EVENT_BYTES - len(encode(event(metadata=metadata)))
    datum = event(metadata=[*metadata, {"key": "k", "value": "x" * (size - 5)}])
    value = encode(datum)
    assert len(value) == MAX_EVENT_BYTES
    assert decoded(records([value])).events.height == 1
    assert decoded(records([value + b"\0"])).rejects["reason"].to_list() == ["too_large"]


def test_nothing_good() -> None:
    """A batch without any good value gives an empty frame of the same columns."""
    whole, broken = decoded(records([VALUE])), decoded(records([b"", None]))
    assert broken.events.schema == whole.events.schema
    assert broken.events.is_empty()
    assert broken.rejects.height == 2


def test_empty_batch() -> None:
    """No records give no events and no rejects."""
    batch = decoded(records([]))
    assert (batch.events.height, batch.rejects.height) == (0, 0)


def test_missing_timestamps() -> None:
    """A record without a timestamp has none in its row."""
    given = records([VALUE, VALUE])
    given.timestamps[1] = None
    assert decoded(given).events["kafka_timestamp"].null_count() == 1


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(wild_events(), min_size=1, max_size=8))
def test_fast_and_slow_agree(events: list[dict[str, Any]]) -> None:
    """Values of the current schema give the same rows whether read by column or one by one."""
    values = [encode(item) for item in events]
    fast = decoded(records(values))
    # One field more makes it another writer schema, which is read record by record.
    other = copy.deepcopy(load_schema("audit_event"))
    other["fields"].append({"name": "later", "type": "int", "default": 0})
    slow = decoded(records([written(other, item, 7) for item in events]), lambda schema_id: other)
    assert_frame_equal(fast.events, slow.events)
    assert fast.events.height == len(events)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(wild_events(), min_size=1, max_size=8))
def test_nothing_is_lost_on_the_way(events: list[dict[str, Any]]) -> None:
    """The rows of events give back what was sent, byte for byte."""
    values = [encode(item) for item in events]
    frame = decoded(records(values)).events.with_columns(pl.col("occurred_at").to_physical())
    assert [encode(datum_of(row)) for row in frame.iter_rows(named=True)] == values


@settings(
    derandomize=True,
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_damage_stays_where_it_is(capfd: pytest.CaptureFixture[str], data: st.DataObject) -> None:
    """However values are damaged, nothing raises or panics, and the good ones among them stay."""
    good = [encode(event(number=number)) for number in range(1, 6)]
    values = list(good)
    places = data.draw(st.sets(st.integers(0, 4), min_size=1, max_size=3))
    for place in sorted(places):
        values[place] = _damage(bytearray(good[place]), data)
    batch = decoded(records(values))
    assert batch.events.height + batch.rejects.height == 5
    kept = {offset - 100 for offset in batch.events["kafka_offset"]}
    assert set(range(5)) - places <= kept
    assert kept == {
        place for place in range(5) if not decoded(records([values[place]])).rejects.height
    }
    assert set(batch.rejects["value"]) <= {values[place] for place in places}
    assert "panicked" not in capfd.readouterr().err


def _damage(value: bytearray, data: st.DataObject) -> bytes:
    how = data.draw(st.sampled_from(["cut", "add", "change", "insert", "remove", "any"]))
    if how == "any":
        return bytes(value[: FRAME.size]) + data.draw(st.binary(max_size=80))
    if how == "cut":
        return bytes(value[: data.draw(st.integers(0, len(value) - 1))])
    if how == "add":
        return bytes(value) + data.draw(st.binary(min_size=1, max_size=5))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(FRAME.size, len(value) - 1))
        if how == "change":
            value[place] = data.draw(st.integers(0, 255))
        elif how == "insert":
            value[place:place] = data.draw(st.binary(min_size=1, max_size=4))
        elif place > FRAME.size:
            del value[place]
    return bytes(value)


def test_a_few_bad_among_many() -> None:
    """Bad values of all kinds are found among thousands of good ones, each alone."""
    good = [encode(item) for item in typical_events(3_000, seed=5)]
    bad = {
        7: good[7][:-2],
        1_500: good[1_500].replace(b"acme", b"a\xffme"),
        1_501: good[1_501].replace(b"console", b"c\xffnsole", 1),
        2_999: good[2_999] + b"\0",
    }
    batch = decoded(records([bad.get(row, value) for row, value in enumerate(good)]))
    assert dict(batch.rejects.select("kafka_offset", "reason").rows()) == {
        107: "truncated",
        1_600: "invalid_utf8",
        1_601: "invalid_utf8",
        3_099: "trailing_bytes",
    }
    expected = decoded(records(good)).events.filter(~pl.col("row").is_in(list(bad)))
    assert_frame_equal(batch.events, expected)


def test_all_bad() -> None:
    """A batch of nothing but text that is not UTF-8 is rejected whole."""
    batch = decoded(records([VALUE.replace(b"acme", b"\xff\xff\xff\xff")] * 100))
    assert batch.rejects["reason"].to_list() == ["invalid_utf8"] * 100


def test_older_and_newer_writers() -> None:
    """Values of several writer schemas in one batch become rows of the current one, in order."""
    older = copy.deepcopy(load_schema("audit_event"))
    older["fields"] = [item for item in older["fields"] if item["name"] != "metadata"]
    newer = copy.deepcopy(load_schema("audit_event"))
    newer["fields"].insert(0, {"name": "tenant", "type": "string", "default": ""})
    schemas = {7: older, 8: newer, **shipped_schemas()}
    values = [
        written(newer, event(number=1) | {"tenant": "t"}, 8),
        encode(event(number=2)),
        written(older, event(number=3), 7),
        written(older, event(number=4), 7)[:-1],
    ]
    batch = decoded(records(values), schemas.get)
    assert batch.events["source_sequence"].to_list() == [1, 2, 3]
    assert batch.events["metadata"].to_list() == [[], [], []]
    assert batch.rejects["reason"].to_list() == ["truncated"]
    assert {name: batch.events.schema[name] for name in DECODED_SCHEMA} == DECODED_SCHEMA


def test_schema_that_only_looks_the_same() -> None:
    """A writer that has two fields the other way round is read by name, not by place."""
    other = copy.deepcopy(load_schema("audit_event"))
    names = [item["name"] for item in other["fields"]]
    first, second = names.index("workspace_id"), names.index("workspace_username")
    fields = other["fields"]
    fields[first], fields[second] = fields[second], fields[first]
    batch = decoded(records([written(other, event(), 7)]), {7: other}.get)
    assert batch.events.select("workspace_id", "workspace_username").rows() == [("w1", "acme")]


def test_same_schema_under_another_id() -> None:
    """A registry's own id, documentation and defaults make no other schema of it."""
    bare = copy.deepcopy(load_schema("audit_event"))
    for item in bare["fields"]:
        item.pop("doc")
        item.pop("default", None)
    writers = Writers({42: bare}.get)
    writer = writers.find(42)
    assert getattr(writer, "current", False)
    value = frame(42, VALUE[FRAME.size :])
    assert decode(records([value]), writers, NOW, MAX_EVENT_BYTES).events.height == 1


@pytest.mark.parametrize(
    "schema",
    [
        "string",
        ["null", "string"],
        {"type": "record", "fields": []},
        {"type": "record", "name": "Other", "fields": []},
        {"type": "record", "name": "AuditEvent", "fields": [{"name": "x", "type": "nothing"}]},
    ],
)
def test_useless_schemas(schema: Any) -> None:
    """A schema of something else, or one that is no schema, is as good as none."""
    batch = decoded(records([frame(9, VALUE[5:])]), lambda schema_id: schema)
    assert batch.rejects["reason"].to_list() == ["unknown_schema"]


def test_source_of_schemas_is_away() -> None:
    """When the schema cannot be known now, nothing is rejected: the error is the caller's."""

    def away(schema_id: int) -> None:
        raise ServiceUnavailableError("the registry is away")

    with pytest.raises(ServiceUnavailableError):
        decoded(records([VALUE]), away)


def test_known_schemas_are_asked_for_once() -> None:
    """A schema is asked for once, one that is not known again in the next batch."""
    asked: list[int] = []

    def source(schema_id: int) -> Any:
        asked.append(schema_id)
        return shipped_schemas().get(schema_id)

    writers = Writers(source)
    for _ in range(2):
        decode(records([VALUE, frame(7, b""), frame(7, b"")]), writers, NOW, MAX_EVENT_BYTES)
    assert sorted(asked) == [7, 7, ID]
