"""Which alerts a rule would have raised over the stored history."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import polars as pl

from auditstream.contract.alert import EPOCH
from auditstream.errors import StoreError
from auditstream.rules.correlation.compile import Compiler
from auditstream.rules.correlation.dense import SHARED, Version, narrowed, shared
from auditstream.rules.correlation.engine import waits
from auditstream.rules.correlation.match import group_names
from auditstream.rules.correlation.scheduled import SETTLE
from auditstream.rules.correlation.scope import Scope, length, microseconds
from auditstream.rules.rule import Rule, RuleSet
from auditstream.rules.to_sql import compile_sql, either_sql
from auditstream.store.columns import Schema
from auditstream.store.connection import Store
from auditstream.store.correlate import asker
from auditstream.store.sql import moment

MAX_ALERTS: Final = 1_000_000
MAX_SECONDS: Final = 120.0
MAX_BYTES: Final = 3 << 30

HISTORY: Final[Schema] = {
    "group": pl.List(pl.String),
    "period": pl.Int64,
    "first": pl.Datetime("us", "UTC"),
    "hits": pl.UInt64,
}
"""One row for each alert: its group's values, the number of its window, first hit, hits."""

_ALERT: Final = (
    "CAST((first, \"group\", period, hits), 'Tuple(first DateTime64(6, \\'UTC\\'), "
    "`group` Array(Nullable(String)), period Int64, hits UInt64)')"
)
_DAY: Final = (
    'CAST((day, -toInt64(hits), "group", alerts), \'Tuple(day Date, less Int64, '
    "`group` Array(Nullable(String)), alerts UInt64)')"
)


@dataclass(frozen=True)
class Day:
    """How many alerts of a group began on a day, and how many hits they count."""

    day: date
    group: tuple[str | None, ...]
    alerts: int
    hits: int


@dataclass(frozen=True)
class Days:
    """Alerts by day and group: the first of `days` days of groups, and the numbers of all."""

    first: tuple[Day, ...]
    days: int
    alerts: int
    hits: int


@dataclass(frozen=True)
class Changed:
    """Alerts that a change adds or removes: how many, and the first of them."""

    alerts: int
    first: tuple[tuple[datetime, tuple[str | None, ...], int], ...]
    """First hit, values of the group, hits."""


@dataclass(frozen=True)
class Difference:
    """What a change of a rule does to its alerts."""

    added: Changed
    removed: Changed
    kept: int


def backtest(
    store: Store, rules: RuleSet, name: str, since: datetime, until: datetime
) -> pl.DataFrame:
    """Return the alerts that a rule gives for hits from `since` until before `until`.

    The rows are as `HISTORY` says, the earliest first. ClickHouse finds and groups the hits; only
    columns that the rule reads are read. An alert whose window began before `since` counts the
    hits from then on. Blocks.

    Raises:
        KeyError: there is no such rule.
        StoreError: there are more than a million alerts, or it takes longer than two minutes.
    """
    history = _History(store, name, since, until)
    found = history.ask(f"{history.alerts(rules)[0]} LIMIT {MAX_ALERTS + 1}")
    if found.height > MAX_ALERTS:
        raise StoreError(f"{name} gives more than {MAX_ALERTS:,} alerts: choose a shorter time")
    return found.cast(pl.Schema(HISTORY)).sort("first", "group", "period")


def by_day(
    store: Store, rules: RuleSet, name: str, since: datetime, until: datetime, limit: int
) -> Days:
    """Return the alerts of `backtest`, however many, by the day of their first hit and by group.

    The earliest days come first, on each the groups of most hits; `limit` of them at most. Blocks.

    Raises:
        KeyError: there is no such rule.
        StoreError: it takes longer than two minutes.
    """
    history = _History(store, name, since, until)
    found = history.ask(
        "SELECT count() AS days, sum(alerts) AS all_alerts, sum(hits) AS all_hits, "
        f"groupArraySorted({limit})({_DAY}) AS first FROM ("
        'SELECT toDate(first) AS day, "group", count() AS alerts, sum(hits) AS hits '
        f'FROM ({history.alerts(rules)[0]}) GROUP BY day, "group")'
    ).row(0, named=True)
    first = (Day(r["day"], tuple(r["group"]), r["alerts"], -r["less"]) for r in found["first"])
    return Days(tuple(first), found["days"], found["all_alerts"], found["all_hits"])


def difference(
    store: Store,
    changed: RuleSet,
    in_force: RuleSet | None,
    name: str,
    since: datetime,
    until: datetime,
    limit: int,
) -> Difference:
    """Return the alerts that a change of a rule adds, and those that it removes.

    Without `in_force` the rule is new, and all are added. Alerts are the same when their ids would
    be: rule, group and window, whatever else the rule says. Where the change gives another group or
    window, none is the same. `limit` alerts of each kind are told. Blocks; see `by_day` for what
    it raises.
    """
    history = _History(store, name, since, until)
    versions = [changed] if in_force is None else [changed, in_force]
    same = len({identity(rules, name) for rules in versions}) == 1
    sql = (
        "SELECT multiIf(new AND old, '=', new, '+', '-') AS change, count() AS alerts, "
        f"groupArraySorted({limit})({_ALERT}) AS first "
        f"FROM ({history.versions(versions, same=same)}) GROUP BY change"
    )
    found = history.ask(history.once(sql))
    told = {row["change"]: row for row in found.to_dicts()}
    kept = told["="]["alerts"] if "=" in told else 0
    return Difference(_changed(told.get("+")), _changed(told.get("-")), kept)


def identity(rules: RuleSet, name: str) -> tuple[tuple[str, ...], timedelta]:
    """Return what the ids of a rule's alerts rest on: names of the group's values, and window.

    Raises:
        KeyError: there is no such rule.
    """
    rule = _single(rules, name)
    if rule is not None:
        return rule.group_by, rule.window
    compound = rules.correlations.rules[name]
    return group_names(compound), compound.header.window


def grouped_hits(database: str, rule: Rule, since: datetime, until: datetime, *more: str) -> str:
    """Return the query for the alerts of a rule of single events, as `HISTORY` says.

    `more` are further aggregates over the events `e` that are hits.
    """
    return _grouped(database, rule, compile_sql(rule), since, until, *more)


def asked_for(
    store: Store, versions: Sequence[RuleSet], name: str, since: datetime, until: datetime
) -> list[Version]:
    """Return a rule over several events as it stands in each version, ready to be looked for.

    Events that cannot matter are left out, of which ClickHouse is asked. Blocks.
    """
    hits = (microseconds(since), microseconds(until) - 1)
    found = []
    for rules in versions:
        rule = rules.correlations.rules[name]
        predicates = {single.name: compile_sql(single) for single in rules.rules}
        reach = length(Compiler(rules.correlations, predicates).reach(rule))
        scope = Scope(store.database, hits, ((hits[0] - reach, hits[1]),))
        found.append(Version(rule, rules.correlations, predicates, scope))
    return narrowed(asker(store, max_seconds=MAX_SECONDS), found)


def settled(rules: RuleSet, name: str, until: datetime, now: datetime) -> datetime:
    """Return until when hits of a rule can be told: one judged by the clock has to wait."""
    rule = rules.correlations.rules.get(name)
    late = SETTLE if rule is not None and waits(rule, rules.correlations) else timedelta()
    return max(min(until, now - late), EPOCH)


class _History:
    """Queries for the alerts of a rule for hits from `since` until before `until`."""

    def __init__(self, store: Store, name: str, since: datetime, until: datetime) -> None:
        self.ask = asker(store, max_seconds=MAX_SECONDS, max_bytes=MAX_BYTES)
        self._store = store
        self._name = name
        self._shared: list[str] = []
        self._span = since, until

    def alerts(self, *versions: RuleSet) -> list[str]:
        """Return the query of each version, with rows as `HISTORY` says."""
        database = self._store.database
        singles = [_single(rules, self._name) for rules in versions]
        compound = [r for r, single in zip(versions, singles, strict=True) if single is None]
        asked = asked_for(self._store, compound, self._name, *self._span)
        matches = iter(map(_matches, asked))
        self._shared = shared(asked) if len(asked) > 1 else []
        return [
            next(matches) if single is None else grouped_hits(database, single, *self._span)
            for single in singles
        ]

    def once(self, sql: str) -> str:
        """Return a query with those of `alerts` in it, in which what these share is read once."""
        if not self._shared:
            return sql
        read = []
        for number, occurrences in enumerate(self._shared):
            sql = sql.replace(occurrences, f"SELECT * FROM shared_{number}")
            read.append(f"shared_{number} AS MATERIALIZED (SELECT {SHARED} FROM ({occurrences}))")
        return f"WITH {', '.join(read)} {sql} SETTINGS enable_materialized_cte = 1"

    def versions(self, versions: Sequence[RuleSet], *, same: bool) -> str:
        """Return the query for the alerts of one or two versions: `new` and `old` tell of which.

        With `same`, what both give is one row.
        """
        singles = [_single(rules, self._name) for rules in versions]
        match singles:
            case [Rule() as new, Rule() as old] if same:
                # Both read the same columns, mostly of the same events.
                flags = (f"max({compile_sql(new)}) AS new", f"max({compile_sql(old)}) AS old")
                either = either_sql(new, old)
                return _grouped(self._store.database, new, either, *self._span, *flags)
        of = ("1 AS new, 0 AS old", "0 AS new, 1 AS old")[: len(versions)]
        told = zip(self.alerts(*versions), of, strict=True)
        rows = " UNION ALL ".join(f"SELECT *, {flags} FROM ({sql})" for sql, flags in told)
        if len(versions) == 1 or not same:
            return rows
        return (
            'SELECT "group", period, min(first) AS first, sum(hits) AS hits, max(new) AS new, '
            f'max(old) AS old FROM ({rows}) GROUP BY "group", period'
        )


def _single(rules: RuleSet, name: str) -> Rule | None:
    return next((rule for rule in rules.rules if rule.name == name), None)


def _grouped(
    database: str, rule: Rule, met: str, since: datetime, until: datetime, *more: str
) -> str:
    window = rule.window // timedelta(microseconds=1)
    at = "toUnixTimestamp64Micro(e.occurred_at)"
    period = f"intDiv({at}, {window})" if window else "toInt64(0)"
    group = ", ".join(f"CAST(e.{name}, 'Nullable(String)')" for name in rule.group_by)
    facts = ", ".join(("min(e.occurred_at) AS first", "count() AS hits", *more))
    return (
        f'SELECT [{group}] AS "group", {period} AS period, {facts} '
        f"FROM {database}.events AS e WHERE e.occurred_at >= {moment(since)} "
        f'AND e.occurred_at < {moment(until)} AND ({met}) GROUP BY "group", period'
    )


def _matches(version: Version) -> str:
    compiler = Compiler(version.linked, version.predicates)
    return (
        "SELECT CAST(group_values, 'Array(Nullable(String))') AS \"group\", period, "
        "fromUnixTimestamp64Micro(ended, 'UTC') AS first, hits "
        f"FROM ({compiler.matches(version.rule, version.scope)})"
    )


def _changed(row: dict[str, Any] | None) -> Changed:
    if row is None:
        return Changed(0, ())
    first = ((item["first"], tuple(item["group"]), item["hits"]) for item in row["first"])
    return Changed(row["alerts"], tuple(first))
