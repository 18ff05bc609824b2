"""The role somebody held before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl

from auditstream.pipeline.look_up import ROLE_SCHEMA, look_up_roles
from auditstream.store.columns import EVENT_SCHEMA
from tests.pipeline.batches import ACTIONS, pipeline, valid_batch
from tests.pipeline.events import NOW, encode, event, micros, records
from tests.pipeline.past import Past

BEFORE = NOW - timedelta(hours=1)


def change(role: str | None, second: int, number: int = 1, **fields: Any) -> dict[str, Any]:
    moment = micros(BEFORE) + second * 1_000_000
    return event("org_user_role_changed", number, role=role, occurred_at=moment, **fields)


def past(
    *rows: tuple[str | None, int],
    subject: tuple[str, str] = ("member", "u2"),
    entity: tuple[str, str] = ("workspace", "workspace-1"),
) -> Past:
    """Return a history of roles held from a second on, from offset 0; type and id name whose."""
    moments = [BEFORE + timedelta(seconds=second) for _, second in rows]
    roles = [role for role, _ in rows]
    held = {"occurred_at": moments, "role": roles, "kafka_offset": list(range(len(rows)))}
    frame = pl.DataFrame(held, schema={name: ROLE_SCHEMA[name] for name in held}).select(
        pl.lit("w1").alias("workspace_id"),
        pl.lit(entity[0]).alias("entity_type"),
        pl.lit(entity[1]).alias("entity_id"),
        pl.lit(subject[0]).alias("subject_type"),
        pl.lit(subject[1]).alias("subject_id"),
        "occurred_at",
        "kafka_offset",
        "role",
    )
    return Past(role_rows=frame)


def processed(history: Past, *events: dict[str, Any]) -> pl.DataFrame:
    return pipeline().process(records([encode(item) for item in events]), history).events


def roles_before(history: Past, *events: dict[str, Any]) -> list[tuple[str | None, str]]:
    frame = processed(history, *events)
    return frame.select("previous_role", "previous_role_origin").rows()


def test_sent_by_the_producer() -> None:
    """What the producer sent stands, whatever the history says."""
    history = past(("admin", 1))
    assert roles_before(history, change("admin", 9, previous_role="viewer")) == [
        ("viewer", "producer")
    ]


def test_last_one_of_the_history() -> None:
    """Otherwise it is the last one held before the event, not the last one held."""
    history = past(("viewer", 1), ("member", 5), ("admin", 20))
    assert roles_before(history, change("admin", 9)) == [("member", "history")]


def test_nothing_known() -> None:
    """Where nothing is known, there is no previous role, and no change of rank."""
    (row,) = processed(Past(), change("admin", 9)).iter_rows(named=True)
    assert (row["previous_role"], row["previous_role_origin"]) == (None, "")
    assert (row["role_rank"], row["previous_role_rank"], row["role_change"]) == (3, None, None)


def test_removed_since() -> None:
    """A role that was taken away is none."""
    assert roles_before(past(("admin", 1), (None, 5)), change("admin", 9)) == [(None, "")]


def test_others_do_not_count() -> None:
    """Roles of another member, on another entity or in another workspace are not theirs.

    Nor are those of a group or on an entity of another type that happens to have the same id.
    """
    event_ = change("admin", 9)
    for subject in (("member", "u3"), ("group", "u2")):
        assert roles_before(past(("viewer", 1), subject=subject), event_) == [(None, "")]
    for entity in (("workspace", "e2"), ("workspace_collection", "workspace-1")):
        assert roles_before(past(("viewer", 1), entity=entity), event_) == [(None, "")]
    assert roles_before(past(("viewer", 1)), event_ | {"workspace_id": "w2"}) == [(None, "")]


def test_within_a_batch() -> None:
    """Earlier events of the batch are the past too, in the order of their time, then offset."""
    events = [
        change("admin", 9, number=1),
        change("viewer", 2, number=2),
        change("member", 9, number=3),
        change("viewer", 9, number=4, previous_role="admin"),
        change("member", 10, number=5),
    ]
    assert roles_before(past(("member", 1)), *events) == [
        ("viewer", "history"),
        ("member", "history"),
        ("admin", "history"),
        ("admin", "producer"),
        ("viewer", "history"),
    ]


def test_what_did_not_succeed() -> None:
    """A denied attempt has a past but is none."""
    events = [change("admin", 9, outcome="denied"), change("member", 10, number=2)]
    assert roles_before(past(("viewer", 1)), *events) == [
        ("viewer", "history"),
        ("viewer", "history"),
    ]


def test_removal_within_a_batch() -> None:
    """A removal has a previous role, and whoever is added after it has none."""
    names = ["connection_member_added_with_role", "connection_member_removed"]
    events = [
        event(name, number, occurred_at=micros(BEFORE) + number)
        for number, name in enumerate([*names, names[0]])
    ]
    assert roles_before(Past(), *events) == [(None, ""), ("manage", "history"), (None, "")]


def test_same_ids_within_a_batch() -> None:
    """A group and a member of one id are two, so are a connection and a collection of one id."""
    same = {"id": "7", "username": None, "email": None}
    connection = {"type": "workspace_connection", "id": "1", "name": None}
    collection = {"type": "workspace_collection", "id": "1", "name": None}
    given = {"entity": connection, "group": {"id": "7", "name": None}, "role": "view"}
    events = [
        event("connection_group_added_with_role", 1, **given),
        event("collection_member_added", 2, entity=collection, member=same, role="edit"),
        event("connection_member_access_changed", 3, entity=connection, member=same, role="query"),
        event("connection_group_access_changed", 4, **given | {"role": "manage"}),
    ]
    assert roles_before(Past(), *events) == [
        (None, ""),
        (None, ""),
        (None, ""),
        ("view", "history"),
    ]


def test_an_event_is_not_its_own_past() -> None:
    """An event that the history knows already does not come before itself."""
    history = past(("viewer", 1), ("admin", 9))
    again = history.role_rows.with_columns(kafka_offset=pl.Series([1, 100]))
    assert roles_before(Past(role_rows=again), change("admin", 9)) == [("viewer", "history")]


def test_role_of_everyone() -> None:
    """A role that is nobody's in particular is everyone's on the entity."""
    entity = ("workspace_collection", "workspace_collection-1")
    change_ = event("workspace_default_access_changed", role="manage")
    history = past(("none", 1), subject=("everyone", ""), entity=entity)
    (row,) = processed(history, change_).iter_rows(named=True)
    assert row["previous_role"] == "none"
    assert (row["role_rank"], row["previous_role_rank"], row["role_change"]) == (3, 0, 3)


def test_groups() -> None:
    """A group's role is looked up under its id."""
    entity = ("workspace_connection", "workspace_connection-1")
    history = past(("query", 1), subject=("group", "g1"), entity=entity)
    given = event("connection_group_access_changed", role="view")
    (row,) = processed(history, given).iter_rows(named=True)
    assert (row["previous_role"], row["role_change"]) == ("query", -1)


def test_who_is_asked_about() -> None:
    """Only those are looked up whose previous role was not sent, each once."""

    class Asked(Past):
        keys: pl.DataFrame | None = None

        def roles(self, keys: pl.DataFrame) -> pl.DataFrame:
            self.keys = keys
            return super().roles(keys)

    history = Asked()
    batch = valid_batch(
        [
            change("admin", 1, number=1),
            change("admin", 2, number=2),
            change("admin", 3, number=3, previous_role="viewer", workspace_id="w3"),
            event("org_user_invited", number=4, workspace_id="w4"),
            event("connection_group_removed", number=5),
            event("group_created", number=6),
        ]
    )
    look_up_roles(batch.events, history, ACTIONS)
    assert history.keys is not None
    entity = ("workspace_connection", "workspace_connection-1")
    assert sorted(history.keys.rows()) == [
        ("w1", "workspace", "workspace-1", "member", "u2", BEFORE + timedelta(seconds=1)),
        ("w1", *entity, "group", "g1", NOW - timedelta(seconds=1)),
    ]


def test_nobody_to_ask_about() -> None:
    """The history is left alone when nothing needs it, and the columns stay the same."""

    class Untouchable(Past):
        def roles(self, keys: pl.DataFrame) -> pl.DataFrame:
            raise AssertionError("asked for nothing")

    assert dict(processed(Untouchable(), event("group_created")).schema) == EVENT_SCHEMA
