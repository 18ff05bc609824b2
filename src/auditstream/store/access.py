"""Who reaches what in a workspace at a time, and through what.

It is what the views `effective_access` and `group_members` tell as of that time, asked the other
way round: of one person, thing or group only the newest step counts, so that nothing has to be
joined but what holds, and names are read only of what is told. Which events give and take is told
by their OCSF codes, class * 100 + activity, as in the views.
"""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, Literal, TypeAlias

from auditstream.store.alert_states import microseconds
from auditstream.store.connection import SettingValue, Store
from auditstream.store.sql import LONG_QUERY, literal, literals, moment

About: TypeAlias = Literal["member", "entity"]
Moment: TypeAlias = tuple[datetime, int]
"""When an event occurred, and its offset, which orders events of one time."""

_READ: Final[dict[str, SettingValue]] = {"readonly": 2, **LONG_QUERY}
_CODE: Final = "e.ocsf_class_uid * 100 + e.ocsf_activity_id"
_GRANTS: Final = "300501, 300502, 300101, 300102, 300401"
_MEMBERSHIPS: Final = "300603, 300604"
_THING_GONE: Final = 300404
_GROUP_GONE: Final = 300605
_GONE: Final = f"{_THING_GONE}, {_GROUP_GONE}, 300105, 300106"
_NONE: Final = 511
"""Stands for a role without a rank, in the lowest 9 bits of a step."""

_STEP: Final = (
    "bitShiftLeft(toInt128(toUnixTimestamp64Micro(e.occurred_at)), 64) + e.kafka_offset * 512 + "
    f"if({_CODE} IN (300502, 300604), 0, ifNull(e.role_rank, {_NONE}))"
)
"""Moment and rank as one number, whose maximum is found fastest; rank 0 takes away."""

_NEWEST: Final = (
    "fromUnixTimestamp64Micro(toInt64(bitShiftRight(newest, 64)), 'UTC') AS at, "
    "toInt64(bitAnd(bitShiftRight(newest, 9), toInt128(36028797018963967))) AS place"
)


@dataclass(frozen=True)
class Way:
    """A way to a thing, as a row of `effective_access`; its comments say what the fields are."""

    entity_type: str
    entity_id: str
    entity_name: str | None
    member_id: str
    member_username: str | None
    role: str | None
    through: str
    through_name: str | None
    since: datetime
    granted_by: str | None
    added_by: str | None


@dataclass(frozen=True)
class Membership:
    """Somebody in a group, as a row of `group_members`."""

    group_id: str
    group_name: str | None
    member_id: str
    member_username: str | None
    since: datetime
    added_by: str | None


@dataclass(frozen=True)
class Reach:
    """Ways, those of the highest role first, and memberships that belong to the same question."""

    ways: tuple[Way, ...]
    memberships: tuple[Membership, ...]


@dataclass(frozen=True)
class _Held:
    """What a subject was given last: a role on a thing, or a place in a group."""

    is_membership: bool
    entity_type: str
    entity_id: str
    subject_type: str
    subject_id: str
    rank: int
    moment: Moment


@dataclass(frozen=True)
class _Told:
    """What the event that gave it says besides."""

    entity_name: str | None
    subject_name: str | None
    role: str | None
    by: str | None


_Pair: TypeAlias = tuple[_Held, _Held | None]
"""A grant, and the membership through which somebody has it."""


def read_reach(
    store: Store, workspace_id: str, about: About, value: str, at: datetime, limit: int
) -> Reach:
    """Return what a member reaches, or who reaches a thing, or who reaches what through a group.

    What everyone in the workspace has is among a member's. Memberships are the groups of the
    member, or the members of the group; at most `limit` of them and of the ways. Blocks for
    milliseconds to a second; raises what `Store` raises.
    """
    ask = _Question(store, workspace_id, at)
    this = literal(value)
    if about == "member":
        held = ask.held(f"e.member_id = {this}")
        in_them = _any_of("e.group_id", {item.entity_id for item in held if item.is_membership})
        held += ask.held(
            f"e.member_id IS NULL AND (e.group_id IS NULL OR {in_them})", codes=_GRANTS
        )
        told = [item for item in held if item.is_membership]
    else:
        through_it = f"e.member_id IS NULL AND ifNull(e.group_id = {this}, false)"
        held = ask.held(f"e.entity_id = {this} OR ({through_it})")
        told = [item for item in held if item.is_membership]
        groups = {item.subject_id for item in held if item.subject_type == "group"} - {value}
        if groups:
            held += ask.held(_any_of("e.entity_id", groups), codes=_MEMBERSHIPS)
    # The highest role first, and of one role what was given last.
    held.sort(key=lambda item: (item.moment, item.entity_id, item.subject_id), reverse=True)
    held.sort(key=lambda item: -item.rank)
    members = [item for item in held if item.is_membership]
    pairs = list(islice(_pairs(held, members), limit))
    named = [*told[:limit], *(item for pair in pairs for item in pair if item)]
    names = ask.told(named)
    return Reach(
        tuple(_way(pair, names) for pair in pairs),
        tuple(_membership(item, names[item.moment]) for item in told[:limit]),
    )


class _Question:
    def __init__(self, store: Store, workspace_id: str, at: datetime) -> None:
        self._store = store
        self._workspace = f"e.workspace_id = {literal(workspace_id)} AND e.outcome = 'success'"
        self._where = f"{self._workspace} AND e.occurred_at <= {moment(at)}"
        self._gone: dict[tuple[str, str], Moment] | None = None

    def held(self, condition: str, codes: str = f"{_GRANTS}, {_MEMBERSHIPS}") -> list[_Held]:
        """Return what was given last and still stands, by events that meet a condition."""
        wanted = f"{_CODE} IN ({codes}) AND ({condition})"
        if self._gone is None:
            # The same columns of the same parts tell what is gone: one reading for both.
            wanted = f"({wanted}) OR {_CODE} IN ({_GONE})"
        rows = self._rows(
            f"SELECT if({_CODE} IN ({_GONE}), {_CODE}, 0) AS gone, "
            "e.ocsf_class_uid = 3006 AS is_membership, e.entity_type, e.entity_id, e.member_id, "
            "if(e.member_id IS NULL, e.group_id, NULL) AS subject_group, "
            f"max({_STEP}) AS newest "
            f"FROM {self._store.database}.events AS e WHERE {self._where} "
            f"AND ({wanted}) AND (gone OR e.ocsf_class_uid != 3004 OR e.role IS NOT NULL) "
            "GROUP BY gone, is_membership, e.entity_type, e.entity_id, e.member_id, subject_group "
            "HAVING gone OR newest % 512 != 0",
            "gone, is_membership, entity_type, entity_id, member_id, subject_group, "
            f"toUInt16(newest % 512) AS rank, {_NEWEST}",
        )
        if self._gone is None:
            self._gone = _ends(rows)
        held = [_held(*row) for gone, *row in rows if not gone]
        return [item for item in held if self._stands(item)]

    def _stands(self, item: _Held) -> bool:
        """Tell whether neither thing nor group nor member has gone since."""
        kind = "group" if item.is_membership else item.entity_type
        of = ((kind, item.entity_id), (item.subject_type, item.subject_id))
        ends = [(self._gone or {}).get(key) for key in of]
        return all(end is None or end < item.moment for end in ends)

    def told(self, held: Sequence[_Held]) -> dict[Moment, _Told]:
        """Return what the events that gave it say besides, by their moments."""
        if not held:
            return {}
        moments = {item.moment for item in held}
        times = ", ".join(sorted({str(microseconds(at)) for at, _ in moments}))
        places = ", ".join(sorted({str(place) for _, place in moments}))
        rows = self._rows(
            "SELECT e.occurred_at AS at, e.kafka_offset AS place, e.entity_name AS entity_name, "
            "coalesce(e.member_username, e.group_name) AS subject_name, e.role AS role, "
            "coalesce(e.actor_username, e.actor_id, toString(e.actor_type)) AS by "
            f"FROM {self._store.database}.events AS e WHERE {self._workspace} "
            f"AND e.occurred_at IN (SELECT fromUnixTimestamp64Micro(arrayJoin([{times}]), 'UTC')) "
            f"AND e.kafka_offset IN ({places})",
            "*",
        )
        return {(at, place): _Told(*rest) for at, place, *rest in rows}

    def _rows(self, sql: str, columns: str) -> list[tuple[Any, ...]]:
        return self._store.query_frame(f"SELECT {columns} FROM ({sql})", settings=_READ).rows()


def _ends(rows: Sequence[tuple[Any, ...]]) -> dict[tuple[str, str], Moment]:
    """Return when things, groups and members last went, by kind and id."""
    ends: dict[tuple[str, str], Moment] = {}
    for code, _, entity_type, entity_id, member, _, _, *newest in rows:
        if not code:
            continue
        if code == _THING_GONE:
            key = (entity_type, entity_id)
        else:
            key = ("group", entity_id) if code == _GROUP_GONE else ("member", member or "")
        at, place = newest
        ends[key] = max(ends.get(key, (at, place)), (at, place))
    return ends


def _held(
    is_membership: bool,
    entity_type: str,
    entity_id: str,
    member: str | None,
    group: str | None,
    rank: int,
    at: datetime,
    place: int,
) -> _Held:
    subject = ("everyone", "")
    if member is not None:
        subject = ("member", member)
    elif group is not None:
        subject = ("group", group)
    known = 0 if rank == _NONE else rank
    return _Held(is_membership, entity_type, entity_id, *subject, known, (at, place))


def _any_of(column: str, values: set[str]) -> str:
    return f"ifNull({column} IN ({literals(sorted(values))}), false)" if values else "0"


def _pairs(held: Sequence[_Held], members: Sequence[_Held]) -> Iterator[_Pair]:
    of_group: dict[str, list[_Held]] = {}
    for member in members:
        of_group.setdefault(member.entity_id, []).append(member)
    for grant in held:
        if grant.is_membership:
            continue
        if grant.subject_type != "group":
            yield grant, None
        for member in of_group.get(grant.subject_id, ()) if grant.subject_type == "group" else ():
            yield grant, member


def _way(pair: _Pair, names: dict[Moment, _Told]) -> Way:
    grant, member = pair
    told = names[grant.moment]
    thing = (grant.entity_type, grant.entity_id, told.entity_name)
    if member is None:
        alone = grant.subject_type == "member"
        who = (grant.subject_id, told.subject_name if alone else None)
        through = "direct" if alone else "everyone"
        return Way(*thing, *who, told.role, through, None, grant.moment[0], told.by, None)
    joined = names[member.moment]
    return Way(
        *thing,
        member.subject_id,
        joined.subject_name,
        told.role,
        grant.subject_id,
        joined.entity_name or told.subject_name,
        max(grant.moment[0], member.moment[0]),
        told.by,
        joined.by,
    )


def _membership(item: _Held, told: _Told) -> Membership:
    return Membership(
        item.entity_id,
        told.entity_name,
        item.subject_id,
        told.subject_name,
        item.moment[0],
        told.by,
    )
