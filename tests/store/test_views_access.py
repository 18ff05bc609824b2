"""Who had which access when: the views against stories, and against a replay of random logs."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from auditstream.contract.catalogue import Catalogue, Ocsf, shipped_catalogue
from auditstream.store.connection import Store
from tests.store.log import Log, act, at, rows

Holder = tuple[str, str, str, str | None]
Short = dict[str, Any]

CONNECTION = "workspace_connection"
COLLECTION = "workspace_collection"
GROUP = "workspace_group"


def catalogue_with_removal() -> Catalogue:
    """Return the shipped catalogue and an action by which a member leaves the workspace."""
    catalogue = shipped_catalogue()
    removal = replace(
        catalogue["org_user_invited"],
        name="org_user_removed",
        description="member removed",
        optional=(),
        roles=(),
        ocsf=Ocsf(3001, 6),
    )
    return replace(catalogue, actions={**catalogue.actions, removal.name: removal})


def grants(store: Store, what: str = "1") -> Sequence[tuple[Any, ...]]:
    """Return who, what, role, from and until, by whom, and why it ended."""
    return rows(
        store,
        "SELECT subject_id, entity_id, role, valid_from, valid_until, granted_by, end_reason "
        f"FROM {{database}}.access_grants WHERE {what} ORDER BY subject_id, entity_id, valid_from",
    )


def test_a_grant_ends_with_the_next_step(store: Store) -> None:
    """A role lasts until another, or none, follows; each row knows who gave it."""
    Log(store).arrive(
        10,
        act("connection_member_added_with_role", 1, "c1", member="bob", role="query"),
        act("connection_member_access_changed", 2, "c1", member="bob", role="manage", actor="eve"),
        act("connection_member_removed", 3, "c1", member="bob"),
        act("connection_member_added_with_role", 4, "c1", member="bob", role="view"),
    )
    assert grants(store) == [
        ("u-bob", "c1", "query", at(1), at(2), "ana", "changed"),
        ("u-bob", "c1", "manage", at(2), at(3), "eve", "removed"),
        ("u-bob", "c1", "view", at(4), None, "ana", None),
    ]


def test_late_events_take_their_place(store: Store) -> None:
    """What arrives late changes the past; what was known before can still be asked for."""
    log = Log(store)
    log.arrive(
        5,
        act("connection_member_added_with_role", 1, "c1", member="bob", role="query"),
        act("connection_member_removed", 4, "c1", member="bob"),
    )
    log.arrive(6, act("connection_member_access_changed", 2, "c1", member="bob", role="manage"))
    assert grants(store) == [
        ("u-bob", "c1", "query", at(1), at(2), "ana", "changed"),
        ("u-bob", "c1", "manage", at(2), at(4), "ana", "removed"),
    ]
    known = "SELECT role, valid_from, valid_until, known_from, end_known_from FROM "
    as_known = known + "{database}.access_grants_known_at(known_at={moment:DateTime64(6, 'UTC')})"
    assert rows(store, as_known, moment=at(5.5)) == [("query", at(1), at(4), at(5), at(5))]
    assert rows(store, known + "{database}.access_grants ORDER BY valid_from") == [
        ("query", at(1), at(2), at(5), at(6)),
        ("manage", at(2), at(4), at(6), at(5)),
    ]


def test_only_success_counts(store: Store) -> None:
    """What was denied or failed gave and took nothing."""
    Log(store).arrive(
        10,
        act("collection_member_added", 1, "k1", member="bob", role="edit"),
        act("collection_member_added", 1, "k1", member="joe", role="edit", outcome="denied"),
        act("collection_member_removed", 2, "k1", member="bob", outcome="failure"),
        act("collection_deleted", 3, "k1", outcome="denied"),
    )
    assert grants(store) == [("u-bob", "k1", "edit", at(1), None, "ana", None)]


def test_deletions_end_everything(store: Store) -> None:
    """A thing deleted, a group deleted, a member shut out: access that hung on them is over."""
    Log(store, catalogue_with_removal()).arrive(
        20,
        act("connection_member_added_with_role", 1, "c1", member="bob", role="view"),
        act("connection_group_added_with_role", 1, "c1", group="g1", role="view"),
        act("connection_group_added_with_role", 1, "c2", group="g1", role="query"),
        act("connection_group_added_with_role", 1, "c2", group="g2", role="query"),
        act("connection_member_added_with_role", 1, "c2", member="bob", role="view"),
        act("group_member_added", 1, "g1", member="bob"),
        act("group_member_added", 1, "g2", member="bob"),
        act("connection_deleted", 5, "c1", actor="eve"),
        act("group_deleted", 6, "g1", actor="eve"),
        act("org_user_removed", 7, member="bob", actor="eve"),
    )
    assert grants(store) == [
        ("g1", "c1", "view", at(1), at(5), "ana", "entity_deleted"),
        ("g1", "c2", "query", at(1), at(6), "ana", "group_deleted"),
        ("g2", "c2", "query", at(1), None, "ana", None),
        ("u-bob", "c1", "view", at(1), at(5), "ana", "entity_deleted"),
        ("u-bob", "c2", "view", at(1), at(7), "ana", "member_removed"),
    ]
    assert rows(
        store,
        "SELECT group_id, group_name, member_username, valid_from, valid_until, added_by, "
        "ended_by, end_reason FROM {database}.group_members ORDER BY group_id",
    ) == [
        ("g1", "G1", "bob", at(1), at(6), "ana", "eve", "group_deleted"),
        ("g2", "G2", "bob", at(1), at(7), "ana", "eve", "member_removed"),
    ]


def test_what_began_before_the_log(store: Store) -> None:
    """A change or removal tells of access before it, whose start and giver are not known."""
    Log(store).arrive(
        10,
        act(
            "connection_member_access_changed",
            3,
            "c1",
            member="bob",
            role="view",
            previous_role="manage",
        ),
        act("collection_group_removed", 4, "k1", group="g1"),
        act("group_member_removed", 5, "g1", member="joe"),
        act("workspace_default_access_changed", 6, "k2", role="edit", previous_role="none"),
        act("workspace_default_access_changed", 7, "k3", role="none", previous_role="view"),
        act("org_user_reinvited", 8, member="may", role="member", previous_role="admin"),
    )
    told = rows(
        store,
        "SELECT subject_type, subject_id, entity_id, role, valid_from, valid_until, granted_by, "
        "start_recorded FROM {database}.access_grants ORDER BY entity_id, valid_from",
    )
    dawn = datetime.fromisoformat("1970-01-01T00:00:00Z")
    assert told == [
        ("member", "u-bob", "c1", "manage", dawn, at(3), None, False),
        ("member", "u-bob", "c1", "view", at(3), None, "ana", True),
        ("group", "g1", "k1", None, dawn, at(4), None, False),
        ("everyone", "", "k2", "edit", at(6), None, "ana", True),
        ("everyone", "", "k3", "view", dawn, at(7), None, False),
        ("member", "u-may", "w1", "member", at(8), None, "ana", True),
    ]
    assert rows(store, "SELECT group_id, member_id, valid_until FROM {database}.group_members") == [
        ("g1", "u-joe", at(5))
    ]


def test_effective_access(store: Store) -> None:
    """Direct, for everyone, and through groups for as long as both grant and membership last."""
    Log(store).arrive(
        30,
        act("group_member_added", 1, "g1", member="bob", actor="eve"),
        act("connection_group_added_with_role", 2, "c1", group="g1", role="query"),
        act("connection_member_added_with_role", 3, "c1", member="bob", role="view"),
        act("group_member_added", 4, "g1", member="joe"),
        act("group_member_removed", 5, "g1", member="bob"),
        act("connection_group_access_changed", 6, "c1", group="g1", role="manage"),
        act("collection_created", 7, "k1", role="view"),
    )
    assert rows(
        store,
        "SELECT entity_id, entity_name, member_id, member_username, role, role_rank, through, "
        "through_name, valid_from, valid_until, granted_by, added_by "
        "FROM {database}.effective_access ORDER BY entity_id, member_id, valid_from",
    ) == [
        ("c1", "C1", "u-bob", "bob", "query", 2, "g1", "G1", at(2), at(5), "ana", "eve"),
        ("c1", "C1", "u-bob", "bob", "view", 1, "direct", None, at(3), None, "ana", None),
        ("c1", "C1", "u-joe", "joe", "query", 2, "g1", "G1", at(4), at(6), "ana", "ana"),
        ("c1", "C1", "u-joe", "joe", "manage", 3, "g1", "G1", at(6), None, "ana", "ana"),
        ("k1", "K1", "", None, "view", 1, "everyone", None, at(7), None, "ana", None),
    ]
    as_of = (
        "SELECT member_id, role, through FROM {database}.effective_access "
        "WHERE entity_id = 'c1' AND valid_from <= {moment:DateTime64(6, 'UTC')} "
        "AND (valid_until IS NULL OR valid_until > {moment:DateTime64(6, 'UTC')}) ORDER BY ALL"
    )
    assert rows(store, as_of, moment=at(4.5)) == [
        ("u-bob", "query", "g1"),
        ("u-bob", "view", "direct"),
        ("u-joe", "query", "g1"),
    ]
    assert rows(store, as_of, moment=at(1.5)) == []


@pytest.mark.parametrize("seed", range(2))
def test_random_logs(store: Store, seed: int) -> None:
    """At every moment, and for what was known at every moment, the views agree with a replay."""
    draw = random.Random(seed)
    worlds = {f"w{number}": list(random_steps(draw, f"w{number}")) for number in range(60)}
    arrivals: dict[int, list[Short]] = defaultdict(list)
    for steps in worlds.values():
        draw.shuffle(steps)
        for step in steps:
            # Some arrive late, and not in the order in which they happened.
            arrivals[draw.choice([100, 100, 101, 102])].append(step)
    log = Log(store, catalogue_with_removal())
    for hours in sorted(arrivals):
        log.arrive(hours, *arrivals[hours])
        views = Views(store, f"toDateTime64('{at(hours):%F %T}', 6, 'UTC')")
        known = [
            step for arrival in sorted(arrivals) if arrival <= hours for step in arrivals[arrival]
        ]
        views.compare(known)
    Views(store, None).compare(known)
    compare_as_of(store, list(worlds)[:4], (3, 7))
    compare_between(store, list(worlds)[:6], at(3), at(8))


def compare_between(
    store: Store, workspaces: Iterable[str], since: datetime, until: datetime
) -> None:
    """Compare what is told of a stretch of time with what is told of all."""
    span = "since = {since:DateTime64(6, 'UTC')}, until = {until:DateTime64(6, 'UTC')}"
    told = 0
    for view, workspace in itertools.product(("access_grants", "group_members"), workspaces):
        where = (
            "workspace_id = {workspace:String} AND valid_from >= {since:DateTime64(6, 'UTC')} "
            "AND valid_from < {until:DateTime64(6, 'UTC')}"
        )
        expected, found = (
            rows(
                store,
                f"SELECT * FROM {{database}}.{relation} ORDER BY ALL",
                workspace=workspace,
                since=since,
                until=until,
            )
            for relation in (
                f"{view} WHERE {where}",
                f"{view}_between(workspace = {{workspace:String}}, {span})",
            )
        )
        assert found == expected
        told += len(found)
    assert told


def compare_as_of(store: Store, workspaces: Iterable[str], hours: Iterable[float]) -> None:
    """Compare what is told of one thing as of a time with what is told of all."""
    shared = (
        "valid_from, entity_type, entity_name, member_id, member_username, role, role_rank, "
        "through, through_name, start_recorded, granted_by, granted_by_id, added_by, "
        "added_by_id, grant_event_id, membership_event_id"
    )
    told = 0
    for workspace in workspaces:
        spans = rows(
            store,
            f"SELECT entity_id, valid_until, {shared} "
            "FROM {database}.effective_access WHERE workspace_id = {workspace:String}",
            workspace=workspace,
        )
        for hour, entity in itertools.product(hours, ("c0", "c1", "k0")):
            moment = at(hour)
            expected = [
                rest
                for thing, until, *rest in spans
                if thing == entity and rest[0] <= moment and (until is None or until > moment)
            ]
            found = rows(
                store,
                f"SELECT {shared} FROM {{database}}.effective_access_at("
                "workspace = {workspace:String}, entity = {entity:String}, "
                "at = {moment:DateTime64(6, 'UTC')})",
                workspace=workspace,
                entity=entity,
                moment=moment,
            )
            assert sorted(map(list, found), key=repr) == sorted(expected, key=repr)
            told += len(found)
    assert told


class Views:
    """The rows of the three views, now or as known at a time."""

    def __init__(self, store: Store, known_at: str | None) -> None:
        suffix = "" if known_at is None else f"_known_at(known_at = {known_at})"
        self.grants = self._read(
            store, f"access_grants{suffix}", "subject_type || ':' || subject_id, role"
        )
        self.members = self._read(store, f"group_members{suffix}", "member_id, NULL", "group_id")
        self.effective = self._read(
            store, f"effective_access{suffix}", "through || ':' || member_id, role"
        )

    def compare(self, known: Iterable[Short]) -> None:
        """Compare with a replay of every workspace, after every hour with a step."""
        by_workspace: dict[str, list[Short]] = defaultdict(list)
        for step in known:
            by_workspace[step["workspace"]].append(step)
        for workspace, steps in by_workspace.items():
            for hours, world in replay(steps):
                where = (workspace, hours, steps)
                assert self._as_of(self.grants, workspace, hours) == world.grants(), where
                assert self._as_of(self.members, workspace, hours) == world.members(), where
                assert self._as_of(self.effective, workspace, hours) == world.effective(), where

    @staticmethod
    def _read(
        store: Store, view: str, holder: str, thing: str = "entity_id"
    ) -> dict[str, list[tuple[Any, ...]]]:
        found = rows(
            store,
            f"SELECT workspace_id, valid_from, valid_until, {thing}, {holder} "
            f"FROM {{database}}.{view}",
        )
        by_workspace: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for workspace, *rest in found:
            by_workspace[workspace].append(tuple(rest))
        return by_workspace

    @staticmethod
    def _as_of(
        view: Mapping[str, list[tuple[Any, ...]]], workspace: str, hours: float
    ) -> list[tuple[Any, ...]]:
        moment = at(hours)
        return sorted(
            (
                tuple(rest)
                for start, end, *rest in view.get(workspace, [])
                if start <= moment and (end is None or end > moment)
            ),
            key=repr,
        )


class World:
    """Who has what at one moment: the state to which a log leads when it is replayed."""

    def __init__(self) -> None:
        self.access: dict[tuple[str, str], str | None] = {}
        self.inside: set[tuple[str, str]] = set()

    def grants(self) -> list[tuple[Any, ...]]:
        """Return thing, holder and role."""
        found = [(thing, holder, role) for (thing, holder), role in self.access.items()]
        return sorted(found, key=repr)

    def members(self) -> list[tuple[Any, ...]]:
        """Return group and member."""
        return sorted(((group, member, None) for group, member in self.inside), key=repr)

    def effective(self) -> list[tuple[Any, ...]]:
        """Return thing, way and member, and role."""
        found: list[tuple[Any, ...]] = []
        for (thing, holder), role in self.access.items():
            kind, name = holder.split(":")
            if kind == "group":
                through = [member for group, member in self.inside if group == name]
                found += [(thing, f"{name}:{member}", role) for member in through]
            else:
                found.append((thing, f"{'direct' if kind == 'member' else kind}:{name}", role))
        return sorted(found, key=repr)

    def take(self, step: Short) -> None:
        """Let a step change the state."""
        action, thing = step["action"], step["entity"]
        if action == "group_member_added":
            self.inside.add((thing, f"u-{step['member']}"))
        elif action == "group_member_removed":
            self.inside.discard((thing, f"u-{step['member']}"))
        elif action == "group_deleted":
            self.inside = {pair for pair in self.inside if pair[0] != thing}
            self._forget(lambda key: key[1] == f"group:{thing}")
        elif action == "org_user_removed":
            gone = f"u-{step['member']}"
            self.inside = {pair for pair in self.inside if pair[1] != gone}
            self._forget(lambda key: key[1] == f"member:{gone}")
        elif action.endswith("_deleted"):
            self._forget(lambda key: key[0] == thing)
        elif action.endswith("_removed") or step.get("role") == "none":
            self.access.pop((thing, holder_of(step)), None)
        else:
            self.access[thing, holder_of(step)] = step.get("role")

    def _forget(self, over: Any) -> None:
        self.access = {key: role for key, role in self.access.items() if not over(key)}


def holder_of(step: Short) -> str:
    """Return who a step is about."""
    if "member" in step:
        return f"member:u-{step['member']}"
    return f"group:{step['group']}" if "group" in step else "everyone:"


def replay(steps: list[Short]) -> Iterator[tuple[float, World]]:
    """Yield the state before the first step, and after every hour with steps.

    `steps` are in the order of their arrival, which decides between steps of the same moment.
    """
    counted = [
        step
        for step in steps
        if step.get("outcome", "success") == "success"
        and not (step["action"].endswith("_created") and "role" not in step)
    ]
    ordered = sorted(counted, key=lambda step: step["hours"])
    world = World()
    seen: set[tuple[str, str]] = set()
    for step in ordered:
        about = (step["entity"], holder_of(step))
        if step["action"].endswith("_deleted") or step["action"] == "org_user_removed":
            continue
        if about not in seen:
            seen.add(about)
            if step["action"] == "group_member_removed":
                world.inside.add((step["entity"], f"u-{step['member']}"))
            elif tells_of_access_before(step):
                world.access[about] = step.get("previous_role")
    hours = 0.0
    yield hours, world
    for index, step in enumerate(ordered):
        world.take(step)
        if index + 1 == len(ordered) or ordered[index + 1]["hours"] != step["hours"]:
            yield step["hours"], world


def tells_of_access_before(step: Short) -> bool:
    """Whether the first step about somebody shows that they had access already."""
    if step["action"].startswith("group_") or step["action"].startswith("org_user_invited"):
        return False
    if step["action"].endswith("_removed"):
        return True
    previous = step.get("previous_role")
    if previous is not None:
        return bool(previous != "none")
    return step["action"].endswith("_changed") and holder_of(step) != "everyone:"


def random_steps(draw: random.Random, workspace: str) -> Iterator[Short]:
    """Yield steps about few people, groups and things, many of them at the same moment."""
    catalogue = catalogue_with_removal()
    chosen = [
        action
        for action in catalogue.actions.values()
        if action.ocsf.class_uid in (3005, 3004, 3006) or action.name == "org_user_removed"
    ]
    prefixes = {CONNECTION: "c", COLLECTION: "k", GROUP: "g"}
    for _ in range(draw.randrange(3, 25)):
        action = draw.choice(chosen)
        if action.name.endswith(("_deleted", "org_user_removed")) and draw.random() < 0.5:
            continue
        prefix = prefixes.get(action.entity_type)
        entity = workspace if prefix is None else f"{prefix}{draw.randrange(2)}"
        step = act(action.name, draw.randrange(1, 12), entity, workspace=workspace)
        if "member" in action.fields:
            step["member"] = draw.choice(["bob", "joe"])
        if "group" in action.fields:
            step["group"] = f"g{draw.randrange(2)}"
        if "role" in action.required or ("role" in action.optional and draw.random() < 0.7):
            step["role"] = draw.choice(action.roles)
        if "previous_role" in action.fields and draw.random() < 0.5:
            step["previous_role"] = draw.choice(action.roles)
        if draw.random() < 0.1:
            step["outcome"] = draw.choice(["failure", "denied"])
        yield step
