"""An event id is stored once."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from auditstream.pipeline.deduplicate import deduplicate
from auditstream.pipeline.history import PAYLOAD
from auditstream.store.columns import PAYLOAD_SCHEMA
from tests.pipeline.batches import pipeline, valid_batch
from tests.pipeline.events import encode, event, records
from tests.pipeline.past import Past

NOTHING = pl.DataFrame(schema=PAYLOAD_SCHEMA)
FULL = event(
    "org_user_reinvited",
    actor={
        "type": "user",
        "id": "u1",
        "username": "ana",
        "email": "ana@example.org",
        "role": "admin",
        "ip": "10.0.0.1",
        "user_agent": "curl/8.1.2",
        "session_id": "s1",
        "on_behalf_of": "u9",
    },
    role="member",
    previous_role="viewer",
    outcome_reason="because",
    correlation_id="c1",
    causation_id="c2",
    request_id="r1",
    changes=[{"field": "f", "old": None, "new": "1"}],
    metadata=[{"key": "k", "value": "v"}],
)


def known(*events: dict[str, Any]) -> pl.DataFrame:
    """Return stored events as the history gives them."""
    return (
        pipeline()
        .process(records([encode(item) for item in events]), Past())
        .events.select(PAYLOAD)
    )


def test_no_repeat() -> None:
    """Events with ids of their own pass."""
    batch = valid_batch([event(number=1), event(number=2)])
    assert deduplicate(batch, NOTHING) is batch


def test_repeat_within_a_batch() -> None:
    """A repeat is dropped and counted, however often it comes, whoever sends it."""
    batch = valid_batch(
        [
            FULL,
            event(number=2),
            FULL | {"source": {"service": "other", "epoch": 9, "sequence": 9}},
            FULL | {"event_id": FULL["event_id"].upper()},
        ]
    )
    result = deduplicate(batch, NOTHING)
    assert result.events["kafka_offset"].to_list() == [100, 101]
    assert result.duplicates == 2
    assert result.rejects.is_empty()


def test_repeat_of_a_stored_event() -> None:
    """What is stored already is dropped and counted."""
    batch = valid_batch([event(number=2), FULL])
    result = deduplicate(batch, known(FULL))
    assert result.events["source_sequence"].to_list() == [2]
    assert (result.duplicates, result.rejects.height) == (1, 0)


def test_repeat_that_is_stored_twice() -> None:
    """History may name an event more than once."""
    stored = known(FULL)
    result = deduplicate(valid_batch([FULL]), pl.concat([stored, stored]))
    assert (result.events.height, result.duplicates) == (0, 1)


def test_previous_role_from_the_history() -> None:
    """A repeat is one also where the stored event's previous role was found in the history."""
    sent = event("org_user_role_changed")
    stored = known(sent).with_columns(previous_role=pl.lit("viewer"))
    result = deduplicate(valid_batch([sent]), stored)
    assert (result.duplicates, result.rejects.height) == (1, 0)
    other = valid_batch([sent | {"previous_role": "member"}])
    assert deduplicate(other, stored).rejects["reason"].to_list() == ["event_id_conflict"]


@pytest.mark.parametrize(
    "change",
    [
        {"action": "org_user_invited", "previous_role": None},
        {"occurred_at": FULL["occurred_at"] - 1},
        {"workspace_id": "w2"},
        {"workspace_username": ""},
        *({"actor": FULL["actor"] | {name: None}} for name in FULL["actor"] if name != "type"),
        {"actor": FULL["actor"] | {"type": "system"}},
        {"entity": FULL["entity"] | {"id": "e2"}},
        {"entity": FULL["entity"] | {"name": None}},
        *({"member": FULL["member"] | {name: "x"}} for name in FULL["member"]),
        {"role": "admin"},
        {"role": None},
        {"previous_role": "member"},
        {"outcome": "denied"},
        {"outcome_reason": None},
        {"correlation_id": "c3"},
        {"causation_id": None},
        {"request_id": "r2"},
        {"changes": []},
        {"changes": [{"field": "f", "old": "", "new": "1"}]},
        {"changes": [*FULL["changes"], *FULL["changes"]]},
        {"metadata": [{"key": "k", "value": "w"}]},
    ],
    ids=str,
)
@pytest.mark.parametrize("where", ["batch", "history"])
def test_conflict(change: dict[str, Any], where: str) -> None:
    """Another payload under an id in use is rejected, with its raw bytes; the first one stays."""
    other = FULL | change
    if where == "batch":
        result = deduplicate(valid_batch([FULL, event(number=2), other]), NOTHING)
        assert result.events["kafka_offset"].to_list() == [100, 101]
    else:
        result = deduplicate(valid_batch([event(number=2), other]), known(FULL))
        assert result.events["kafka_offset"].to_list() == [100]
    reject = result.rejects.row(0, named=True)
    assert (reject["reason"], reject["field"]) == ("event_id_conflict", "event_id")
    assert (reject["event_id"], reject["value"]) == (FULL["event_id"], encode(other))
    assert f"another event: {next(iter(change))}" in reject["message"]
    assert (result.rejects.height, result.duplicates) == (1, 0)


def test_first_of_a_partition_wins() -> None:
    """Of two payloads under one id, the one at the lower partition and offset is kept."""
    late, early = event(workspace_id="late"), event(workspace_id="early")
    batch = valid_batch([late, early, early], partitions=[1, 0, 1], offsets=[5, 9, 4])
    result = deduplicate(batch, NOTHING)
    assert result.events["workspace_id"].to_list() == ["early"]
    assert result.events["kafka_offset"].to_list() == [9]
    assert result.duplicates == 1
    assert result.rejects.select("kafka_partition", "kafka_offset").rows() == [(1, 5)]


def test_stored_event_wins() -> None:
    """When the stored event differs, no event of the batch is kept under its id."""
    batch = valid_batch([FULL | {"role": "admin"}, FULL | {"role": "admin"}, FULL])
    result = deduplicate(batch, known(FULL))
    assert result.events.is_empty()
    assert (result.rejects.height, result.duplicates) == (2, 1)
