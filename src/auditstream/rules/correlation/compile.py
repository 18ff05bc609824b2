"""Compile rules over several events to ClickHouse's SQL.

A query reads the events once, without a join of the table with itself: its cost grows with the
number of events that meet the predicates, not with how many lie within a window.
"""
# ruff: noqa: S608 - names are those of columns, values are literals

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from auditstream.rules.correlation.extensions import (
    NOTHING_TOLD,
    absence,
    effective_access,
    first_seen,
    large_group,
)
from auditstream.rules.correlation.link import Linked
from auditstream.rules.correlation.match import group_names
from auditstream.rules.correlation.model import (
    Absence,
    CompoundRule,
    Correlation,
    EffectiveAccess,
    FirstSeen,
)
from auditstream.rules.correlation.occurrences import (
    Source,
    merged,
    one_of,
    picked,
    scan,
    sources,
    together,
)
from auditstream.rules.correlation.scope import Scope, length, microseconds
from auditstream.rules.correlation.windows import (
    counted,
    counted_once,
    in_order,
    over_rules,
    with_own_events,
)
from auditstream.store.sql import literal


def to_sql(
    rule: CompoundRule,
    predicates: Mapping[str, str],
    since: datetime,
    until: datetime,
    groups: Sequence[tuple[str, ...]] | None = None,
    *,
    database: str = "audit",
    linked: Linked | None = None,
) -> str:
    """Return the query for the matches of a rule whose hits lie between two moments, inclusive.

    `predicates` are never-null conditions over `e` by the name of the single-event rule; `linked`
    knows the correlations that this one refers to. With `groups`, values of `group_by`, only these
    are looked at; not for a chain.

    Rows, one for each alert: `rule`; `group_values`, as texts; `period`, number of the alert's
    period; `began` and `ended`, the window of its first hit, in microseconds; `count`, the highest
    count of its hits; `hits`, their number; `told`, more for the sentence; `named`, the evidence of
    its first hit where the rule finds it at once.
    """
    compiler = Compiler(linked or Linked({}, ()), predicates)
    hits = (microseconds(since), microseconds(until))
    read = ((hits[0] - length(compiler.reach(rule)), hits[1]),)
    wanted = None if groups is None or compiler.chained(rule) else tuple(groups)
    return compiler.matches(rule, Scope(database, hits, read, wanted))


class Compiler:
    """Compiles linked rules; `predicates` are conditions over `e` by name of single-event rule."""

    def __init__(self, linked: Linked, predicates: Mapping[str, str]) -> None:
        self._linked = linked
        self._predicates = predicates

    def reach(self, rule: CompoundRule) -> timedelta:
        """Return how far before a hit events may lie that it depends on, at most."""
        match rule:
            case Correlation():
                inner = (self._linked.correlation(name) for name in rule.rules)
                spans = (self.reach(other) for other in inner if other)
                return rule.timespan + max(spans, default=timedelta())
            case Absence():
                return rule.timespan
            case FirstSeen():
                return rule.history
            case EffectiveAccess():
                return timedelta()

    def chained(self, rule: CompoundRule) -> bool:
        """Return whether the rule refers to a correlation."""
        return self._linked.chained(rule)

    def matches(self, rule: CompoundRule, scope: Scope) -> str:
        """Return the query for the matches, see `to_sql`."""
        first, last = scope.hits
        window = length(rule.header.window)
        period = f"intDiv(t, {window})" if window else "toInt64(0)"
        wanted = f"t BETWEEN {first} AND {last}" + (" AND newest >= b" if scope.new else "")
        return (
            f"SELECT {literal(rule.header.name)} AS rule, g AS group_values, p AS period, "
            "toInt64(argMin(b, (t, b))) AS began, toInt64(min(t)) AS ended, "
            "toUInt64(max(n)) AS count, count() AS hits, any(said) AS told, "
            "argMin(itself, t) AS named FROM ("
            f"SELECT g, b, t, n, told AS said, named AS itself, {period} AS p "
            f"FROM ({self._hits(rule, scope)}) WHERE {wanted}) GROUP BY g, p"
        )

    def evidence(self, rule: CompoundRule, scope: Scope) -> str:
        """Return SQL with what an alert of the rule may name: `g`, `t` and `x` of occurrences.

        Raises:
            ValueError: matches of the rule come with their evidence.
        """
        match rule:
            case Correlation():
                return f"SELECT g, t, x FROM ({self._occurrences(rule, scope, ())})"
            case FirstSeen():
                rows = self._plain(rule.rules, rule.group_by, rule.values, scope)
                return f"SELECT arrayConcat(g, v) AS g, t, x FROM ({rows})"
            case Absence():
                rows = self._either(rule, scope)
                return f"SELECT g, t, x FROM ({rows}) WHERE bitTest(mask, 0)"
            case EffectiveAccess():
                raise ValueError(f"{rule.header.name}: its matches name their event")

    def _hits(self, rule: CompoundRule, scope: Scope) -> str:
        match rule:
            case Correlation():
                rows = self._correlation(rule, scope, ())
                return f"SELECT g, b, t, n, newest, {NOTHING_TOLD} FROM ({rows})"
            case FirstSeen():
                rows = self._plain(rule.rules, rule.group_by, rule.values, scope)
                return first_seen(rule, rows, scope)
            case Absence():
                return absence(rule, self._either(rule, scope))
            case EffectiveAccess(members=1):
                return effective_access(rule, self._plain(rule.rules, (), (), scope), scope)
            case EffectiveAccess():
                return large_group(rule, self._given(rule, scope), scope)

    def _correlation(self, rule: Correlation, scope: Scope, carried: tuple[str, ...]) -> str:
        rows = self._occurrences(rule, scope, carried)
        span = length(rule.timespan)
        if rule.kind == "temporal_ordered":
            return in_order(rows, len(rule.rules), span)
        if rule.term is not None:
            return over_rules(rows, rule.term, rule.rules, span)
        if rule.kind == "temporal":
            return with_own_events(rows, rule.bounds, span, len(rule.rules))
        if rule.kind == "value_count":
            return counted_once(rows, rule.bounds, span, "v")
        if self.chained(rule):
            return counted_once(rows, rule.bounds, span, "k")
        return counted(rows, rule.bounds, span)

    def _occurrences(self, rule: Correlation, scope: Scope, carried: tuple[str, ...]) -> str:
        dense = scope.dense.get(rule.header.name)
        read = sources(rule, self._predicates, carried)
        relations = [scan(source, scope, dense) for source in read]
        for place, name in enumerate(rule.rules):
            inner = self._linked.correlation(name)
            if inner is not None:
                group = tuple(rule.column(field, name) for field in rule.group_by)
                values = tuple(rule.column(field, name) for field in rule.fields)
                relations.append(self._inner(inner, scope, rule.bit(place), group, values, carried))
        # Distinct alerts may stand for one and the same event.
        counts_alerts = rule.kind == "event_count" and self.chained(rule)
        return together(relations) if counts_alerts else merged(relations)

    def _inner(
        self,
        inner: Correlation,
        scope: Scope,
        bit: int,
        group: tuple[str, ...],
        values: tuple[str, ...],
        carried: tuple[str, ...],
    ) -> str:
        needed = tuple(dict.fromkeys((*group, *values, *carried)))
        hits = self._correlation(inner, replace(scope, groups=None), needed)
        window = length(inner.header.window)
        period = f"intDiv(t, {window})" if window else "0"
        columns = {
            "g": picked(group, needed),
            "v": picked(values, needed),
            "t": "t",
            "o": "o",
            "ws": "ws",
            "x": "x",
            "new": "toUInt8(newest >= b)",
            "mask": f"toUInt64({1 << bit})",
            "c": picked(carried, needed),
            "k": f"toString(({literal(inner.header.name)}, {period}, g))",
        }
        # Under other names first: these stand for other values in the rows they are made of.
        made = ", ".join(f"{value} AS made_{name}" for name, value in columns.items())
        names = ", ".join(f"made_{name} AS {name}" for name in columns)
        present = "NOT has(made_g, '') AND NOT has(made_v, '')"
        return f"SELECT {names} FROM (SELECT {made} FROM ({hits})) WHERE {present}"

    def _plain(
        self, rules: Sequence[str], group: tuple[str, ...], values: tuple[str, ...], scope: Scope
    ) -> str:
        predicates = tuple((0, self._predicates[name]) for name in rules)
        return scan(Source(predicates, group, values), scope)

    def _given(self, rule: EffectiveAccess, scope: Scope) -> str:
        met = " OR ".join(f"({self._predicates[name]})" for name in rule.rules)
        kind = one_of("e.entity_type", rule.entity_types)
        given = f"({met}) AND {kind} AND ifNull(e.role_rank >= {rule.min_rank}, false)"
        return scan(Source(((0, given),), group_names(rule)), scope)

    def _either(self, rule: Absence, scope: Scope) -> str:
        alike: dict[tuple[str, ...], list[tuple[int, str]]] = {}
        for bit, names in enumerate((rule.after, rule.expected)):
            for name in names:
                group = tuple(rule.column(field, name) for field in rule.group_by)
                alike.setdefault(group, []).append((bit, self._predicates[name]))
            if not names:
                alike.setdefault(rule.group_by, []).append((bit, "1"))
        return merged([scan(Source(tuple(rules), group), scope) for group, rules in alike.items()])
