"""Who reaches what now: the same as the views tell, for everybody and everything of a story."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest

from auditstream.store.access import About, Reach, read_reach
from auditstream.store.connection import Store
from auditstream.store.sql import literal, moment
from tests.api.explorer.story import Told, tell

LIMIT = 10_000
SUBJECTS = 25


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


def test_what_is_gone_reaches_nothing(store: Store) -> None:
    """A thing or group that was deleted, or nobody ever told of; others' workspaces neither."""
    told = tell(store, events=900)
    at = told.events["occurred_at"].max() + timedelta(seconds=1)
    deleted = store.query_frame(
        f"SELECT entity_id FROM {store.database}.events WHERE workspace_id = "
        f"{literal(told.workspace_id)} AND action LIKE '%_deleted' AND outcome = 'success'"
    ).rows()
    assert deleted
    for (thing,) in deleted:
        assert read_reach(store, told.workspace_id, "entity", thing, at, LIMIT) == Reach((), ())
    abouts: tuple[About, ...] = ("member", "entity")
    for about in abouts:
        assert not read_reach(store, "another", about, "x' OR 1 --", at, LIMIT).ways


@pytest.mark.parametrize("limit", [1, 3])
def test_most_rank_first(store: Store, limit: int) -> None:
    """Of many ways those of the highest role are told."""
    told = tell(store, events=900)
    at = told.events["occurred_at"].max() + timedelta(seconds=1)
    member = store.query_frame(
        f"SELECT member_id FROM {store.database}.effective_access WHERE through = 'direct' "
        "AND valid_until IS NULL GROUP BY member_id ORDER BY count() DESC, member_id LIMIT 1"
    ).item()
    every = read_reach(store, told.workspace_id, "member", member, at, LIMIT).ways
    some = read_reach(store, told.workspace_id, "member", member, at, limit).ways
    assert some == every[:limit]
