"""Views of what changed, of activity, actors, gaps and rejects, against stories."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from typing import Any

import polars as pl
import pytest

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.store.append import append_events
from auditstream.store.connection import Store
from auditstream.store.rejects import append_rejects
from tests.store.log import Log, act, at, rows
from tests.store.rows import STREAM, event_rows, reject_rows

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

STORY = (
    act("org_user_invited", 1, member="bob", role="member"),
    act("org_user_role_changed", 2, member="bob", role="admin", previous_role="member"),
    act("org_user_role_changed", 3, member="ana", role="viewer", previous_role="admin"),
    act("org_user_role_changed", 3, member="joe", role="admin", outcome="denied"),
    act("group_created", 4, "g1"),
    act("group_member_added", 5, "g1", member="bob"),
    act("collection_created", 6, "k1", role="view"),
    act("collection_group_added", 7, "k1", group="g1", role="edit"),
    act("connection_created", 8, "c1", actor="eve"),
    act("connection_member_added_with_role", 9, "c1", member="joe", role="query", actor="eve"),
    act("connection_member_access_changed", 10, "c1", member="joe", role="view", actor="eve"),
    act("connection_member_removed", 11, "c1", member="joe", actor="eve"),
    act("audit_log_accessed", 12, actor="sam", metadata=[{"key": "rows", "value": "7"}]),
    act("audit_log_accessed", 13, actor="sam", outcome="denied"),
)


@pytest.mark.parametrize(
    ("view", "columns", "expected"),
    [
        (
            "role_changes",
            "member_username, role_from, role_to, rank_difference, actor_username, is_self",
            [
                ("bob", "member", "admin", 1, "ana", False),
                ("ana", "admin", "viewer", -2, "ana", True),
            ],
        ),
        (
            "membership_changes",
            "action, member_username, role_from, role_to",
            [
                ("org_user_invited", "bob", None, "member"),
                ("org_user_role_changed", "bob", "member", "admin"),
                ("org_user_role_changed", "ana", "admin", "viewer"),
            ],
        ),
        (
            "group_changes",
            "action, group_id, group_name, member_id",
            [("group_created", "g1", "G1", None), ("group_member_added", "g1", "G1", "u-bob")],
        ),
        (
            "collection_changes",
            "action, collection_id, collection_name, group_name, role_to",
            [
                ("collection_created", "k1", "K1", None, "view"),
                ("collection_group_added", "k1", "K1", "G1", "edit"),
            ],
        ),
        (
            "connection_changes",
            "action, connection_id, member_username, role_from, role_to, rank_difference",
            [
                ("connection_created", "c1", None, None, None, None),
                ("connection_member_added_with_role", "c1", "joe", None, "query", None),
                ("connection_member_access_changed", "c1", "joe", "query", "view", -1),
                ("connection_member_removed", "c1", "joe", "view", None, None),
            ],
        ),
        (
            "permission_changes",
            "entity_id, coalesce(member_username, group_name), role_from, role_to",
            [
                ("w1", "bob", "member", "admin"),
                ("w1", "ana", "admin", "viewer"),
                ("k1", "G1", None, "edit"),
                ("c1", "joe", None, "query"),
                ("c1", "joe", "query", "view"),
                ("c1", "joe", "view", None),
            ],
        ),
        (
            "audit_log_accesses",
            "actor_username, outcome, request['rows']",
            [("sam", "success", "7"), ("sam", "denied", "")],
        ),
    ],
)
def test_changes(store: Store, view: str, columns: str, expected: list[tuple[Any, ...]]) -> None:
    """Each view has what belongs to it; what did not succeed is no change."""
    Log(store).arrive(20, *STORY)
    assert (
        rows(store, f"SELECT {columns} FROM {{database}}.{view} ORDER BY occurred_at") == expected
    )


def test_a_new_action_is_in_its_views(store: Store) -> None:
    """An action that the catalogue gains is in the views of its category and kind at once."""
    catalogue = shipped_catalogue()
    new = replace(
        catalogue["connection_member_added_with_role"], name="connection_member_lent_role"
    )
    catalogue = replace(catalogue, actions={**catalogue.actions, new.name: new})
    Log(store, catalogue).arrive(2, act(new.name, 1, "c1", member="bob", role="query"))
    for view in ("connection_changes", "permission_changes", "access_grants", "effective_access"):
        assert rows(store, f"SELECT count() FROM {{database}}.{view}") == [(1,)]


def test_activity_by_hour(store: Store) -> None:
    """Events, actors and failures are counted by the hour in which they occurred."""
    Log(store).arrive(
        30,
        act("group_created", 1.1, "g1"),
        act("group_member_added", 1.9, "g1", member="bob", actor="eve"),
        act("group_deleted", 2.5, "g1", outcome="denied"),
        act("org_user_role_changed", 1.5, member="bob", role="admin", previous_role="member"),
    )
    assert rows(
        store,
        "SELECT toDateTime64(hour, 6, 'UTC'), category, events, actors, denied, failed, raised, "
        "late FROM {database}.activity_by_hour ORDER BY hour, category",
    ) == [
        (at(1), "user_groups", 2, 2, 0, 0, 0, 2),
        (at(1), "user_membership", 1, 1, 0, 0, 1, 1),
        (at(2), "user_groups", 1, 1, 1, 0, 0, 1),
    ]


def test_actors(store: Store) -> None:
    """A profile of what is usual, and the first and last time of each value."""
    Log(store).arrive(
        60,
        act("group_created", 9, "g1", request={"user_agent": FIREFOX, "role": "admin"}),
        act("connection_member_added_with_role", 33, "c1", member="bob", role="query"),
        act("connection_member_removed", 34, "c1", member="bob", outcome="denied"),
        act("group_created", 35, "g2", actor="eve"),
    )
    assert rows(
        store,
        "SELECT actor_username, first_seen, last_seen, events, active_days, denied, given, taken, "
        "things, members, programs, usual_hours, actions['group_created'] "
        "FROM {database}.actor_profile WHERE actor_id = 'u-ana'",
    ) == [("ana", at(9), at(34), 3, 2, 1, 1, 0, 2, 1, ["Firefox"], [9, 10], 1)]
    assert rows(
        store,
        "SELECT kind, value, first_seen, last_seen, events FROM {database}.first_and_last_seen "
        "WHERE actor_id = 'u-ana' AND kind IN ('action', 'user_agent_family') ORDER BY 1, 2",
    ) == [
        ("action", "connection_member_added_with_role", at(33), at(33), 1),
        ("action", "connection_member_removed", at(34), at(34), 1),
        ("action", "group_created", at(9), at(9), 1),
        ("user_agent_family", "Firefox", at(9), at(9), 1),
    ]
    span = "workspace = 'w1', since = '2025-05-02 09:00:00', until = '2025-05-02 10:00:00'"
    assert rows(
        store,
        "SELECT actor_username, first_seen, last_seen, events, given, programs, usual_hours "
        f"FROM {{database}}.actor_profile_between({span})",
    ) == [("ana", at(33), at(33), 1, 1, [], [9])]
    assert rows(
        store,
        f"SELECT kind, value FROM {{database}}.first_and_last_seen_between({span}) ORDER BY 1",
    ) == [("action", "connection_member_added_with_role"), ("ip_class", "private")]


def test_sequence_gaps(store: Store) -> None:
    """A gap is told with its place, by service, instance and epoch; late numbers close it."""
    log = Log(store)
    numbered = [(1, "a", 1, 1), (2, "a", 1, 2), (3, "a", 1, 5), (4, "b", 1, 1), (5, "a", 2, 3)]
    log.arrive(
        9,
        *(
            act("group_created", hours, "g1", source={"instance": i, "epoch": e, "sequence": n})
            for hours, i, e, n in numbered
        ),
    )
    gaps = (
        "SELECT source_instance, source_epoch, missing_from, missing_to, missing, after, before "
        "FROM {database}.sequence_gaps ORDER BY source_epoch"
    )
    assert rows(store, gaps) == [
        ("a", 1, 3, 4, 2, at(2), at(3)),
        ("a", 2, 1, 2, 2, None, at(5)),
    ]
    late = [
        act("group_created", 2.5, "g1", source={"instance": "a", "sequence": n}) for n in (3, 4)
    ]
    log.arrive(10, *late)
    assert rows(store, gaps) == [("a", 2, 1, 2, 2, None, at(5))]


def test_sequence_gaps_across_blocks(store: Store) -> None:
    """Gaps within and between blocks of numbers; of a stretch of time those that end in it."""
    numbers = [1, 8190, 8192, 8193, 20_000, 20_003]
    log = Log(store)
    # Appended one by one, so that parts have parts of a block each, and not in their order.
    for hours in (3, 1, 2, 6, 5, 4):
        source = {"sequence": numbers[hours - 1]}
        log.arrive(9, act("group_created", hours, "g1", source=source))
    expected = [
        (2, 8189, at(1), at(2)),
        (8191, 8191, at(2), at(3)),
        (8194, 19_999, at(4), at(5)),
        (20_001, 20_002, at(5), at(6)),
    ]
    told = "SELECT missing_from, missing_to, after, before FROM {database}."
    assert rows(store, f"{told}sequence_gaps ORDER BY 1") == expected
    for since, until in ((1, 9), (2, 3), (3, 6), (5, 6), (7, 9)):
        found = rows(
            store,
            f"{told}sequence_gaps_between(since = {{since:DateTime64(6, 'UTC')}}, "
            "until = {until:DateTime64(6, 'UTC')}) ORDER BY 1",
            since=at(since),
            until=at(until),
        )
        assert found == [gap for gap in expected if at(since) <= gap[3] < at(until)]


def test_sources_count_what_is_stored(store: Store) -> None:
    """The projection by which gaps are found counts each event once, whatever is sent again."""
    for _ in range(2):
        append_events(store, STREAM, 0, None, event_rows(3), Event())
    append_events(store, STREAM, 0, 2, event_rows(2, first=3), Event())
    count = (
        "SELECT source_service, source_epoch, count(), max(source_sequence) "
        f"FROM {store.database}.events GROUP BY source_service, source_epoch"
    )
    by_projection, by_events = (
        store.query_frame(count, settings=settings).rows()
        for settings in (
            {"force_optimize_projection_name": "sources"},
            {"optimize_use_projections": 0},
        )
    )
    assert by_projection == by_events
    assert sum(row[2] for row in by_events) == 5


def test_rejects(store: Store) -> None:
    """Rejected records have their workspace, place and size, and not their bytes."""
    frame = reject_rows([7]).with_columns(key=pl.lit(b"w1"), value=pl.lit(b"\x00\xff1"))
    append_rejects(store, frame, Event())
    assert rows(
        store, "SELECT workspace_id, position, size, kafka_topic FROM {database}.rejects"
    ) == [("w1", "0:7", 3, "audit.events")]
