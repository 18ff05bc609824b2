"""Who reaches what now: the same as the views tell, for everybody and everything of a story."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from auditstream.store.access import About, Reach, read_reach
from auditstream.store.connection import Store
from auditstream.store.sql import literal, moment
from tests.api.explorer.story import Told, tell

LIMIT = 10_000
SUBJECTS = 15


def rows(store: Store, view: str, told: Told, at: str, columns: str) -> list[tuple[Any, ...]]:
    """Return what a view tells as of a time, but for what only later events tell."""
    found: list[tuple[Any, ...]] = store.query_frame(
        f"SELECT {columns} FROM {store.database}.{view} "
        f"WHERE workspace_id = {literal(told.workspace_id)} AND start_recorded "
        f"AND valid_from <= {at} AND (valid_until IS NULL OR valid_until > {at})"
    ).rows()
    return found


def ways(reach: Reach) -> set[tuple[Any, ...]]:
    """Return the ways as rows."""
    assert len(set(reach.ways)) == len(reach.ways)
    return {
        (way.entity_id, way.member_id, way.through, way.role, way.since, way.granted_by)
        for way in reach.ways
    }


def test_answers_are_those_of_the_views(store: Store) -> None:
    """Of members, things and groups, in the midst of the story and at its end."""
    told = tell(store, events=900)
    times = told.events["occurred_at"].sort()
    middle, end = times[len(times) // 2], times[-1]
    compared = 0
    for at in (middle, end + timedelta(seconds=1)):
        wanted: dict[tuple[str, str], set[tuple[Any, ...]]] = defaultdict(set)
        everyone = set()
        columns = "entity_id, member_id, through, role, valid_from, granted_by"
        for row in rows(store, "effective_access", told, moment(at), columns):
            wanted["thing", row[0]].add(row)
            if row[2] == "everyone":
                everyone.add(row)
                continue
            wanted["member", row[1]].add(row)
            if row[2] != "direct":
                wanted["group", row[2]].add(row)
        joined: dict[tuple[str, str], set[tuple[Any, ...]]] = defaultdict(set)
        columns = "group_id, member_id, member_username, valid_from, added_by"
        for row in rows(store, "group_members", told, moment(at), columns):
            joined["group", row[0]].add(row)
            joined["member", row[1]].add(row)
        for about in ("thing", "member", "group"):
            keys = [key for key in {*wanted, *joined} if key[0] == about]
            for key in sorted(keys)[:SUBJECTS]:
                asked: About = "member" if about == "member" else "entity"
                reach = read_reach(store, told.workspace_id, asked, key[1], at, LIMIT)
                also = everyone if about == "member" else set()
                assert ways(reach) == wanted[key] | also, key
                told_of = {
                    (m.group_id, m.member_id, m.member_username, m.since, m.added_by)
                    for m in reach.memberships
                }
                assert told_of == joined[key], key
                compared += len(wanted[key])
    assert compared > 100
    assert everyone

    nothing_is_reached_through_what_is_gone(store, told, end + timedelta(seconds=1))
    highest_roles_come_first(store, told, end + timedelta(seconds=1))


def nothing_is_reached_through_what_is_gone(store: Store, told: Told, at: datetime) -> None:
    """A thing or group that was deleted; another workspace has nothing of it."""
    deleted = store.query_frame(
        f"SELECT entity_id FROM {store.database}.events WHERE workspace_id = "
        f"{literal(told.workspace_id)} AND action LIKE '%_deleted' AND outcome = 'success'"
    )["entity_id"].to_list()
    assert deleted
    for thing in deleted:
        assert read_reach(store, told.workspace_id, "entity", thing, at, LIMIT) == Reach((), ())
    abouts: tuple[About, ...] = ("member", "entity")
    for about in abouts:
        for value in (deleted[0], "x' OR 1 --"):
            assert read_reach(store, "another", about, value, at, LIMIT) == Reach((), ())


def highest_roles_come_first(store: Store, told: Told, at: datetime) -> None:
    """Where not all ways are told."""
    member = store.query_frame(
        f"SELECT member_id FROM {store.database}.effective_access WHERE through = 'direct' "
        f"AND workspace_id = {literal(told.workspace_id)} AND valid_until IS NULL "
        "GROUP BY member_id ORDER BY count() DESC, member_id LIMIT 1"
    ).item()
    every = read_reach(store, told.workspace_id, "member", member, at, LIMIT).ways
    assert len(every) > 3
    assert read_reach(store, told.workspace_id, "member", member, at, 3).ways == every[:3]
