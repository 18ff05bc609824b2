"""Ask the table for the matches of several rules at once, with their evidence."""
# ruff: noqa: S608 - names are those of columns, values are literals

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, TypeAlias

import polars as pl

from auditstream.contract.alert import Evidence
from auditstream.rules.correlation.compile import Compiler
from auditstream.rules.correlation.extensions import NAMED
from auditstream.rules.correlation.match import Match, group_names
from auditstream.rules.correlation.model import CompoundRule, EffectiveAccess
from auditstream.rules.correlation.occurrences import one_of, together
from auditstream.rules.correlation.scope import (
    Scope,
    length,
    moment,
    moment_sql,
)
from auditstream.store.sql import literal

Ask: TypeAlias = Callable[[str], pl.DataFrame]
"""Sends a query to ClickHouse and returns its rows; blocks, and raises what the store raises."""

MAX_EVIDENCE: Final = 100
DISORDER: Final = timedelta(seconds=1)
"""How much older than a stored event one may be that is not late: partitions are read side by side.
"""

MATCHES_AT_ONCE: Final = 500
"""Matches whose evidence one query asks for."""

_TOLD: Final = ("member", "entity", "group")


@dataclass(frozen=True)
class Question:
    """A rule and where in the table to look for its matches."""

    rule: CompoundRule
    scope: Scope


def search(compiler: Compiler, ask: Ask, questions: Sequence[Question]) -> list[Match]:
    """Return the matches, in the order of rules, groups and time.

    Asks once for the matches of all questions, and where there are any, for their evidence and
    their first events. Events that arrive meanwhile may be among the evidence.
    """
    if not questions:
        return []
    by_name = {question.rule.header.name: question for question in questions}
    union = together([f"({compiler.matches(q.rule, q.scope)})" for q in questions])
    found = ask(f"SELECT * FROM ({union}) ORDER BY rule, group_values, period").to_dicts()
    matches: list[Match] = []
    for start in range(0, len(found), MATCHES_AT_ONCE):
        some = found[start : start + MATCHES_AT_ONCE]
        matches += _with_evidence(compiler, ask, by_name, some)
    return matches


def _with_evidence(
    compiler: Compiler,
    ask: Ask,
    by_name: Mapping[str, Question],
    found: Sequence[Mapping[str, Any]],
) -> list[Match]:
    numbered: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    evidence: dict[int, Mapping[str, Any]] = {}
    for number, row in enumerate(found):
        if row["named"]:
            late = any(item["late"] for item in row["named"])
            evidence[number] = {"named": row["named"], "events": len(row["named"]), "late": late}
        else:
            numbered.setdefault(row["rule"], []).append((number, row))
    if numbered:
        wanted = [_evidence(compiler, by_name[name], rows) for name, rows in numbered.items()]
        evidence |= {row["n"]: row for row in ask(together(wanted)).to_dicts()}
    events = _events(ask, by_name, [row["named"][0] for row in evidence.values()])
    matches = []
    for number, row in enumerate(found):
        # Without evidence: the table's retention has taken the events meanwhile.
        if number not in evidence:
            continue
        held = evidence[number]
        first = held["named"][0]
        if first["id"] not in events:
            continue
        rule = by_name[row["rule"]].rule
        told = dict(zip(_TOLD, row["told"], strict=True)) if row["told"] else {}
        matches.append(
            Match(
                rule=rule,
                group=dict(zip(group_names(rule), row["group_values"], strict=True)),
                began=moment(first["t"]),
                ended=moment(row["ended"]),
                count=row["count"],
                first=events[first["id"]],
                evidence=tuple(
                    Evidence(item["id"], item["topic"], item["part"], item["off"])
                    for item in held["named"]
                ),
                events=held["events"],
                late=held["late"],
                told=told | ({"role": row["group_values"][3]} if _is_access(rule) else {}),
            )
        )
    return matches


def _evidence(
    compiler: Compiler, question: Question, rows: Sequence[tuple[int, Mapping[str, Any]]]
) -> str:
    groups_of = {number: ", ".join(map(literal, row["group_values"])) for number, row in rows}
    windows = ", ".join(
        f"({number}, [{groups_of[number]}], {row['began']}, {row['ended']})" for number, row in rows
    )
    structure = literal("n UInt32, g Array(String), began Int64, ended Int64")
    first = min(row["began"] for _, row in rows)
    last = max(row["ended"] for _, row in rows)
    groups = None
    if question.scope.groups is not None:
        groups = tuple(tuple(row["group_values"]) for _, row in rows)
        width = len(question.scope.groups[0]) if question.scope.groups else 0
        groups = tuple(dict.fromkeys(group[:width] for group in groups))
    reach = length(compiler.reach(question.rule))
    scope = replace(question.scope, read=((first - reach, last),), groups=groups)
    named = f"CAST((t, toString(x.id), x.topic, x.part, x.off, x.ws, x.late), '{NAMED}')"
    return (
        "SELECT n, count() AS events, "
        f"arraySlice(arraySort(groupArray({named})), 1, {MAX_EVIDENCE}) "
        "AS named, max(x.late AND x.arrived = last) OR "
        f"minIf(t, x.arrived = last) + {length(DISORDER)} < maxIf(t, x.arrived < last) AS late "
        "FROM (SELECT w.n AS n, o.t AS t, o.x AS x, max(x.arrived) OVER (PARTITION BY n) AS last "
        f"FROM ({compiler.evidence(question.rule, scope)}) AS o "
        f"INNER JOIN (SELECT * FROM values({structure}, {windows})) AS w ON w.g = o.g "
        "WHERE o.t BETWEEN w.began AND w.ended) GROUP BY n"
    )


def _events(
    ask: Ask, by_name: Mapping[str, Question], firsts: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    if not firsts:
        return {}
    database = next(iter(by_name.values())).scope.database
    keys = ", ".join(f"({moment_sql(first['t'])}, toUUID('{first['id']}'))" for first in firsts)
    spread = (min(first["t"] for first in firsts), max(first["t"] for first in firsts))
    homes = sorted({first["ws"] for first in firsts})
    rows = ask(
        f"SELECT * REPLACE (toString(event_id) AS event_id, toString(severity) AS severity) "
        f"FROM {database}.events AS e WHERE {one_of('e.workspace_id', homes)} AND "
        f"e.occurred_at BETWEEN {moment_sql(spread[0])} AND {moment_sql(spread[1])} "
        f"AND (e.occurred_at, e.event_id) IN ({keys})"
    )
    return {row["event_id"]: row for row in rows.to_dicts()}


def _is_access(rule: CompoundRule) -> bool:
    return isinstance(rule, EffectiveAccess)
