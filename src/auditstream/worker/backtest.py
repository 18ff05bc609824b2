"""Which alerts a rule would have raised over the stored history."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from auditstream.contract.alert import EPOCH
from auditstream.errors import StoreError
from auditstream.rules.correlation.compile import to_sql
from auditstream.rules.correlation.engine import waits
from auditstream.rules.correlation.match import group_names
from auditstream.rules.correlation.model import CompoundRule
from auditstream.rules.correlation.scheduled import SETTLE
from auditstream.rules.rule import Rule, RuleSet
from auditstream.rules.to_sql import compile_sql
from auditstream.store.columns import Schema
from auditstream.store.connection import Store
from auditstream.store.correlate import asker
from auditstream.store.sql import moment

MAX_ALERTS: Final = 1_000_000
MAX_SECONDS: Final = 120.0

HISTORY: Final[Schema] = {
    "group": pl.List(pl.String),
    "period": pl.Int64,
    "first": pl.Datetime("us", "UTC"),
    "hits": pl.UInt64,
}
"""One row for each alert: its group's values, the number of its window, first hit, hits."""


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
    single = next((rule for rule in rules.rules if rule.name == name), None)
    if single is not None:
        sql = grouped_hits(store.database, single, since, until)
    else:
        sql = _compound(store.database, rules, rules.correlations.rules[name], since, until)
    found = asker(store, max_seconds=MAX_SECONDS)(f"{sql} LIMIT {MAX_ALERTS + 1}")
    if found.height > MAX_ALERTS:
        raise StoreError(f"{name} gives more than {MAX_ALERTS:,} alerts: choose a shorter time")
    return found.cast(pl.Schema(HISTORY)).sort("first", "group", "period")


def difference(
    changed: tuple[RuleSet, pl.DataFrame], in_force: tuple[RuleSet, pl.DataFrame], name: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the alerts that a change of a rule adds, and those that it removes.

    Alerts are the same when their ids would be: rule, group and window, whatever else the rule
    says. Where the change gives another group or window, none is the same.
    """
    (new_rules, new), (old_rules, old) = changed, in_force
    if identity(new_rules, name) != identity(old_rules, name):
        return new, old
    keys = ["group", "period"]
    return (
        new.join(old, on=keys, how="anti", nulls_equal=True, maintain_order="left"),
        old.join(new, on=keys, how="anti", nulls_equal=True, maintain_order="left"),
    )


def identity(rules: RuleSet, name: str) -> tuple[tuple[str, ...], timedelta]:
    """Return what the ids of a rule's alerts rest on: names of the group's values, and window.

    Raises:
        KeyError: there is no such rule.
    """
    for rule in rules.rules:
        if rule.name == name:
            return rule.group_by, rule.window
    compound = rules.correlations.rules[name]
    return group_names(compound), compound.header.window


def grouped_hits(database: str, rule: Rule, since: datetime, until: datetime, *more: str) -> str:
    """Return the query for the alerts of a rule of single events, as `HISTORY` says.

    `more` are further aggregates over the events `e` that are hits.
    """
    window = rule.window // timedelta(microseconds=1)
    at = "toUnixTimestamp64Micro(e.occurred_at)"
    period = f"intDiv({at}, {window})" if window else "toInt64(0)"
    group = ", ".join(f"CAST(e.{name}, 'Nullable(String)')" for name in rule.group_by)
    facts = ", ".join(("min(e.occurred_at) AS first", "count() AS hits", *more))
    return (
        f'SELECT [{group}] AS "group", {period} AS period, {facts} '
        f"FROM {database}.events AS e WHERE e.occurred_at >= {moment(since)} "
        f'AND e.occurred_at < {moment(until)} AND ({compile_sql(rule)}) GROUP BY "group", period'
    )


def _compound(
    database: str, rules: RuleSet, rule: CompoundRule, since: datetime, until: datetime
) -> str:
    predicates = {single.name: compile_sql(single) for single in rules.rules}
    last = until - timedelta(microseconds=1)
    matches = to_sql(rule, predicates, since, last, database=database, linked=rules.correlations)
    return (
        'SELECT group_values AS "group", period, '
        f"fromUnixTimestamp64Micro(ended, 'UTC') AS first, hits FROM ({matches})"
    )


def settled(rules: RuleSet, name: str, until: datetime, now: datetime) -> datetime:
    """Return until when hits of a rule can be told: one judged by the clock has to wait."""
    rule = rules.correlations.rules.get(name)
    late = SETTLE if rule is not None and waits(rule, rules.correlations) else timedelta()
    return max(min(until, now - late), EPOCH)
