"""Stored events by their id, and roles, as the pipeline asks for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Event

import polars as pl
import pytest

from auditstream.store.append import append_events
from auditstream.store.columns import PAYLOAD_SCHEMA
from auditstream.store.connection import Store
from auditstream.store.history import ROLE_KEY, ROLE_SCHEMA, StoredHistory
from tests.store.rows import START, STREAM, event_rows

Told = tuple[str, str, str | None, str | None]

TYPE = "workspace_connection"
ODD = "it's\\ \u00e9\t\n\0 {x:String}"


@pytest.fixture
def events(store: Store) -> pl.DataFrame:
    """Two thousand stored events of two appends."""
    frame = event_rows(2_000)
    append_events(store, STREAM, 0, None, frame[:1_000], Event())
    append_events(store, STREAM, 0, 999, frame[1_000:], Event())
    return frame


def by_id(store: Store, wanted: pl.DataFrame) -> pl.DataFrame:
    """Return the stored payloads of events, by event id."""
    minutes = wanted["event_id_minute"].unique()
    return StoredHistory(store).events_by_id(wanted["event_id"], minutes).sort("event_id")


def test_payloads_come_back_as_they_were(store: Store, events: pl.DataFrame) -> None:
    """Payloads equal those of the frame that was stored, to the dtype."""
    wanted = events[::17]
    found = by_id(store, wanted)
    assert found.equals(wanted.select(list(PAYLOAD_SCHEMA)).sort("event_id"))
    assert found.schema == pl.Schema(PAYLOAD_SCHEMA)


def test_odd_texts_come_back(store: Store) -> None:
    """Quotes, backslashes, control characters and empty lists survive both ways."""
    texts = [name for name, dtype in PAYLOAD_SCHEMA.items() if dtype == pl.String]
    odd = event_rows(2).with_columns(
        *(pl.lit(ODD).alias(name) for name in texts if name not in {"event_id", "outcome"}),
        outcome=pl.lit("success"),
        changes=pl.Series([[{"field": ODD, "old": None, "new": ODD}], []]),
        metadata=pl.Series([[{"key": ODD, "value": ""}] * 2, [{"key": "", "value": ODD}]]),
    )
    append_events(store, STREAM, 0, None, odd, Event())
    assert by_id(store, odd).equals(odd.select(list(PAYLOAD_SCHEMA)).sort("event_id"))
    key = dict.fromkeys(ROLE_KEY, ODD) | {"subject_type": "member"}
    found = StoredHistory(store).roles(pl.DataFrame([key]))
    assert found["role"].to_list() == [ODD, ODD]


def test_unknown_ids_give_no_rows(store: Store, events: pl.DataFrame) -> None:
    """Ids that are not stored, or no ids at all, give an empty frame of the right dtypes."""
    others = event_rows(20, seed=99)
    for wanted in (others, others.clear(), events.clear()):
        assert by_id(store, wanted).equals(pl.DataFrame(schema=PAYLOAD_SCHEMA))


def test_only_the_minutes_are_searched(store: Store, events: pl.DataFrame) -> None:
    """An id is found under its own minute only."""
    wanted = events[:5]
    elsewhere = wanted.with_columns(pl.col("event_id_minute") - timedelta(minutes=1))
    assert by_id(store, elsewhere).is_empty()


def test_twenty_thousand_ids(store: Store, events: pl.DataFrame) -> None:
    """As many ids as a fetch has records can be asked for at once, stored or not."""
    others = event_rows(18_000, seed=77)
    assert by_id(store, pl.concat([others, events])).height == events.height


def test_roles_of_a_subject(store: Store) -> None:
    """Roles given and removed come in full, failed attempts and other subjects do not."""
    story: list[Told] = [
        ("connection_member_added_with_role", "success", "view", "m1"),
        ("connection_member_access_changed", "success", "manage", "m1"),
        ("connection_member_access_changed", "denied", "query", "m1"),
        ("connection_member_added_with_role", "success", "query", "m2"),
        ("connection_member_removed", "success", None, "m1"),
        ("group_member_removed", "success", None, "m1"),
        ("workspace_default_access_changed", "success", "edit", None),
    ]
    append_events(store, STREAM, 0, None, told(story), Event())
    asked = [("w", "e", "m1"), ("w", "e", ""), ("w", "other", "m2"), ("other", "e", "m2")]
    keys = [
        (workspace, TYPE, entity, "member" if subject else "everyone", subject)
        for workspace, entity, subject in asked
    ]
    found = StoredHistory(store).roles(pl.DataFrame(keys, schema=ROLE_KEY, orient="row"))
    assert found.schema == pl.Schema(ROLE_SCHEMA)
    assert found.sort("kafka_offset").rows() == [
        ("w", TYPE, "e", "member", "m1", moment(0), 0, "view"),
        ("w", TYPE, "e", "member", "m1", moment(1), 1, "manage"),
        ("w", TYPE, "e", "member", "m1", moment(4), 4, None),
        ("w", TYPE, "e", "everyone", "", moment(6), 6, "edit"),
    ]


def test_roles_of_same_ids(store: Store) -> None:
    """A group and a member of one id are two, and so are entities of two types with one id."""
    rows = told(
        [
            ("connection_member_added_with_role", "success", "view", "7"),
            ("connection_group_added_with_role", "success", "manage", None),
            ("collection_member_added", "success", "edit", "7"),
        ]
    ).with_columns(
        group_id=pl.Series([None, "7", None], dtype=pl.String),
        entity_type=pl.Series([TYPE, TYPE, "workspace_collection"]),
    )
    append_events(store, STREAM, 0, None, rows, Event())
    for subject, entity, role in (
        ("member", TYPE, "view"),
        ("group", TYPE, "manage"),
        ("member", "workspace_collection", "edit"),
    ):
        keys = pl.DataFrame([("w", entity, "e", subject, "7")], schema=ROLE_KEY, orient="row")
        assert StoredHistory(store).roles(keys)["role"].to_list() == [role]


@pytest.mark.parametrize(
    ("since", "offsets"),
    [(0, [0, 1, 4, 6, 8]), (1, [0, 1, 4, 6, 8]), (5, [1, 4, 6, 8]), (9, [6, 8])],
)
def test_roles_since(store: Store, since: int, offsets: list[int]) -> None:
    """From a time on every role comes, of what was before it only the last one of each key."""
    story: list[Told] = [
        ("connection_member_added_with_role", "success", role, member)
        for role, member in [
            ("view", "m1"),
            ("query", "m1"),
            ("view", "m3"),
            ("view", "m3"),
            ("manage", "m2"),
            ("query", "m3"),
        ]
    ]
    story += [
        ("connection_member_removed", "success", None, "m1"),
        ("connection_member_removed", "denied", None, "m2"),
        ("connection_member_access_changed", "success", "view", "m2"),
    ]
    append_events(store, STREAM, 0, None, told(story), Event())
    keys = pl.DataFrame(
        {
            "workspace_id": ["w", "w"],
            "entity_type": [TYPE, TYPE],
            "entity_id": ["e", "e"],
            "subject_type": ["member", "member"],
            "subject_id": ["m1", "m2"],
            "since": [moment(since + 60), moment(since)],
        }
    )
    found = StoredHistory(store).roles(keys).sort("kafka_offset")
    assert found["kafka_offset"].to_list() == offsets
    roles = {0: "view", 1: "query", 4: "manage", 6: None, 8: "view"}
    assert found["role"].to_list() == [roles[offset] for offset in offsets]


def test_no_keys_no_roles(store: Store) -> None:
    """Without keys nothing is asked."""
    keys = pl.DataFrame(schema=dict.fromkeys(ROLE_KEY, pl.String))
    assert StoredHistory(store).roles(keys).equals(pl.DataFrame(schema=ROLE_SCHEMA))


def told(story: list[Told]) -> pl.DataFrame:
    """Return events of one entity, a second apart: action, outcome, role, member."""
    schema = {"action": pl.String, "outcome": pl.String, "role": pl.String, "member_id": pl.String}
    columns = pl.DataFrame(story, schema=schema, orient="row")
    return event_rows(len(story)).with_columns(
        *columns,
        workspace_id=pl.lit("w"),
        entity_type=pl.lit(TYPE),
        entity_id=pl.lit("e"),
        group_id=pl.lit(None, pl.String),
        occurred_at=pl.Series([moment(number) for number in range(len(story))]).cast(
            PAYLOAD_SCHEMA["occurred_at"]
        ),
    )


def moment(number: int) -> datetime:
    """Return the time of an event of a story."""
    return START + timedelta(seconds=number)
