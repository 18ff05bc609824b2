"""Where our extensions fire: SQL with one row for each hit.

Its columns: `g`, the group of the alert; `b`, where the window begins; `t`, the hit; `n`, the
count; `x`, the event; `newest`, the hit if it is a new event, else 0; `told`, more to say; `named`,
the evidence if the event is all of it, else nothing.
"""
# ruff: noqa: S608 - names are those of columns, values are literals

from __future__ import annotations

from typing import Final

from auditstream.rules.correlation.model import Absence, EffectiveAccess, FirstSeen
from auditstream.rules.correlation.occurrences import one_of
from auditstream.rules.correlation.scope import Scope, length, moment_sql
from auditstream.rules.correlation.windows import FAR
from auditstream.store.sql import literal

NAMED: Final = (
    "Tuple(t Int64, id String, topic String, part Int32, off Int64, ws String, late Bool)"
)
NOTHING_TOLD: Final = f"emptyArrayString() AS told, CAST([], 'Array({NAMED})') AS named"

_ITSELF: Final = (
    "[CAST((r.t, toString(any(r.x).id), any(r.x).topic, any(r.x).part, any(r.x).off, "
    f"any(r.x).ws, any(r.x).late), '{NAMED}')]"
)

_WAYS: Final = {
    "any": "1",
    "direct": "through IN ('direct', 'everyone')",
    "group": "through NOT IN ('direct', 'everyone')",
}


def first_seen(rule: FirstSeen, rows: str, scope: Scope) -> str:
    """Fire at occurrences whose values are new."""
    frame = "ORDER BY t, o ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    seen = f"lagInFrame(t, 1, toInt64(0)) OVER (PARTITION BY g, v {frame})"
    earlier = f"lagInFrame(t, 1, toInt64(0)) OVER (PARTITION BY g {frame})"
    since = f"t - {length(rule.history)}"
    # A log that is younger says nothing; only its part so far back is read.
    known = f"e.occurred_at <= {moment_sql(scope.hits[1] - length(rule.learning))}"
    if scope.homes is not None:
        known += f" AND {one_of('e.workspace_id', scope.homes)}"
    first = "toUnixTimestamp64Micro(min(e.occurred_at))"
    oldest = (
        f"SELECT toString(e.workspace_id) AS ws, {first} AS oldest "
        f"FROM {scope.database}.events AS e WHERE {known} GROUP BY e.workspace_id"
    )
    return (
        "SELECT arrayConcat(g, v) AS g, t AS b, t, 1 AS n, x, if(new, t, 0) AS newest, "
        f"{NOTHING_TOLD} FROM (SELECT *, {seen} AS seen, {earlier} AS earlier "
        f"FROM ({rows})) AS r "
        f"INNER JOIN ({oldest}) AS log ON log.ws = r.ws "
        f"WHERE seen < {since} AND oldest <= t - {length(rule.learning)}"
        f"{'' if rule.new_groups else f' AND earlier >= {since}'}"
    )


def absence(rule: Absence, rows: str) -> str:
    """Fire where the time of an event of bit 0 of the mask is over and none of bit 1 followed."""
    span = length(rule.timespan)
    # Backwards, so that the frame only ever grows.
    after = (
        "PARTITION BY g ORDER BY t DESC, o DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
    )
    following = f"min(if(bitTest(mask, 1), t, {FAR})) OVER ({after})"
    return (
        f"SELECT g, begun AS b, begun + {span} AS t, 1 AS n, x, 0 AS newest, {NOTHING_TOLD} FROM ("
        f"SELECT g, x, mask, t AS begun, count() OVER ({after}) AS followers, "
        f"{following} AS following FROM ({rows})) "
        f"WHERE bitTest(mask, 0) AND (followers = 0 OR following > begun + {span})"
    )


def effective_access(rule: EffectiveAccess, rows: str, scope: Scope) -> str:
    """Fire at occurrences from which on a member has access not had by any way just before."""
    # The view is the most that such a query costs: it is read once. A member had access just before
    # a way began if the latest end of the ways that began earlier, own or everyone's, was not yet
    # past: no way is compared with another one, of which a large group has as many as members.
    access = (
        "SELECT e.workspace_id AS ws, e.entity_type AS kind, e.entity_id AS thing, "
        "ifNull(e.entity_name, e.entity_id) AS shown, e.member_id AS member, "
        "ifNull(e.role, '') AS role, e.through AS through, "
        "ifNull(e.through_name, e.through) AS way, e.grant_event_id AS granted, "
        "e.membership_event_id AS joined, "
        "if(e.member_id = '', 'everyone', ifNull(e.member_username, e.member_id)) AS name, "
        "toUnixTimestamp64Micro(e.valid_from) AS begun, "
        f"ifNull(toUnixTimestamp64Micro(e.valid_until) + 1, {FAR}) AS past "
        f"FROM {scope.database}.effective_access AS e "
        f"WHERE {one_of('e.entity_type', rule.entity_types)} "
        f"AND ifNull(e.role_rank >= {rule.min_rank}, false)"
        + ("" if scope.workspaces is None else f" AND {one_of('e.workspace_id', scope.workspaces)}")
    )
    earlier = "ORDER BY begun RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
    begun = (
        "SELECT ws, thing, shown, member, role, name, way, begun, "
        "arrayJoin(arrayDistinct([granted, joined])) AS cause "
        f"FROM (SELECT *, max(past) OVER (PARTITION BY ws, kind, thing, member {earlier}) AS own, "
        f"max(if(member = '', past, 0)) OVER (PARTITION BY ws, kind, thing {earlier}) AS common "
        f"FROM ({access})) WHERE {_WAYS[rule.through]} AND greatest(own, common) <= begun"
    )
    return (
        "SELECT [ws, a.member, thing, a.role] AS g, r.t AS b, r.t AS t, 1 AS n, any(r.x) AS x, "
        f"any(if(r.new, r.t, 0)) AS newest, any([a.name, shown, a.way]) AS told, "
        f"{_ITSELF} AS named FROM ({rows}) AS r "
        f"INNER JOIN ({begun}) AS a ON a.ws = r.x.ws AND a.cause = r.x.id "
        "WHERE a.begun = r.t GROUP BY g, r.t"
    )


def large_group(rule: EffectiveAccess, rows: str, scope: Scope) -> str:
    """Fire at occurrences that give a role to a group of so many members.

    The groups of `rows` are workspace, group, entity and role.
    """
    groups = f"SELECT r.g[2] FROM ({rows}) AS r"
    if scope.touched is not None:
        groups = ", ".join(map(literal, scope.touched))
    members = (
        f"SELECT * FROM {scope.database}.group_members AS m WHERE m.group_id IN ({groups})"
        + ("" if scope.workspaces is None else f" AND {one_of('m.workspace_id', scope.workspaces)}")
    )
    return (
        "SELECT r.g AS g, r.t AS b, r.t AS t, uniqExact(m.member_id) AS n, any(r.x) AS x, "
        f"any(if(r.new, r.t, 0)) AS newest, emptyArrayString() AS told, {_ITSELF} AS named "
        f"FROM ({rows}) AS r "
        f"INNER JOIN ({members}) AS m ON m.workspace_id = r.g[1] AND m.group_id = r.g[2] "
        "WHERE toUnixTimestamp64Micro(m.valid_from) <= r.t "
        "AND ifNull(toUnixTimestamp64Micro(m.valid_until) > r.t, true) "
        f"GROUP BY r.g, r.t HAVING n >= {rule.members}"
    )
