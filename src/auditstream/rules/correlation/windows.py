"""Where a correlation fires: over occurrences, one row for each at which the condition holds.

Each function takes the SQL of occurrences and returns SQL with their columns and `b`, where the
window begins; `n`, the count; `newest`, the time of the newest new occurrence up to there, 0
without one.

Counts of what a window holds are running sums over the moments at which they change: what occurs at
`t` counts from then on, and no more from just after `t + span`, or from when it occurs again.
"""
# ruff: noqa: S608 - names are those of columns, values are literals

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from auditstream.rules.correlation.model import Bound, Term

SYMBOLS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=", "neq": "!="}
LONGEST_FRAME: Final = 2**31 - 1
"""Microseconds over which ClickHouse takes a frame by range: about 35 minutes."""

FAR: Final = "toInt64(9000000000000000000)"

# Without a frame, all rows of the same moment belong to the window of each.
_SO_FAR: Final = "OVER (PARTITION BY g ORDER BY t)"
_NEWEST: Final = f"max(if(new, t, 0)) {_SO_FAR} AS newest"


def counted(rows: str, bounds: Sequence[Bound], span: int) -> str:
    """Fire where the window holds so many rows; ClickHouse counts a frame in constant time."""
    if span > LONGEST_FRAME:
        return _running(rows, f"t + {span + 1}", "sum(d) OVER w", bounds, span)
    frame = f"PARTITION BY g ORDER BY t RANGE BETWEEN {span} PRECEDING AND CURRENT ROW"
    return (
        f"SELECT *, t - {span} AS b FROM (SELECT *, count() OVER ({frame}) AS n, {_NEWEST} "
        f"FROM ({rows})) WHERE {_meet('n', bounds)}"
    )


def counted_once(rows: str, bounds: Sequence[Bound], span: int, key: str) -> str:
    """Fire where the window holds so many distinct values of the column `key`."""
    frame = "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"
    again = f"leadInFrame(t, 1, {FAR}) OVER (PARTITION BY g, {key} ORDER BY t {frame})"
    rows = f"SELECT *, {again} AS again FROM ({rows})"
    return _running(rows, f"least(again, t + {span + 1})", "sum(d) OVER w", bounds, span)


def with_own_events(rows: str, bounds: Sequence[Bound], span: int, rules: int) -> str:
    """Fire where so many rules have an event of their own in the window.

    Their number is that of a maximum matching of rules and events. By König and Hall it is the
    least, over all sets of rules, of the rules outside the set and the events of those within.
    """
    numbers = [str(rules)]
    for chosen in range(1, 2**rules):
        others = rules - chosen.bit_count()
        numbers.append(f"{others} + sum(if(bitAnd(mask, {chosen}) != 0, d, 0)) OVER w")
    return _running(rows, f"t + {span + 1}", f"least({', '.join(numbers)})", bounds, span)


def over_rules(rows: str, term: Term, rules: Sequence[str], span: int) -> str:
    """Fire where the condition over rules that have an event in the window holds."""
    last = ", ".join(
        f"max(if(bitTest(mask, {bit}), t, 0)) {_SO_FAR} AS last_{bit}" for bit in range(len(rules))
    )
    present = {name: f"(last_{bit} >= t - {span})" for bit, name in enumerate(rules)}
    number = " + ".join(f"toUInt8{condition}" for condition in present.values())
    return (
        f"SELECT *, t - {span} AS b, {number} AS n FROM (SELECT *, {last}, {_NEWEST} "
        f"FROM ({rows})) WHERE {_term(term, present)}"
    )


def in_order(rows: str, rules: int, span: int) -> str:
    """Fire where events of all rules follow each other within `span`, each before the next.

    From rule to rule, each event takes over the latest beginning among those before it: of all
    sequences that end at an event, that is the shortest one.
    """
    before = "PARTITION BY g ORDER BY t, o ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
    chain = f"SELECT *, if(bitTest(mask, 0), t, 0) AS begun_0 FROM ({rows})"
    for bit in range(1, rules):
        begun = f"max(begun_{bit - 1}) OVER ({before})"
        chain = f"SELECT *, if(bitTest(mask, {bit}), {begun}, 0) AS begun_{bit} FROM ({chain})"
    return (
        f"SELECT *, begun_{rules - 1} AS b, {rules} AS n FROM (SELECT *, {_NEWEST} FROM ({chain})) "
        f"WHERE begun_{rules - 1} > 0 AND begun_{rules - 1} >= t - {span}"
    )


def _running(rows: str, gone: str, count: str, bounds: Sequence[Bound], span: int) -> str:
    changes = (
        f"SELECT *, comes, if(comes, t, {gone}) AS at, if(comes, 1, -1) AS d FROM ({rows}) "
        "ARRAY JOIN [1, 0] AS comes"
    )
    return (
        f"SELECT *, t - {span} AS b FROM (SELECT *, {count} AS n, "
        f"max(if(comes AND new, t, 0)) OVER w AS newest FROM ({changes}) "
        f"WINDOW w AS (PARTITION BY g ORDER BY at)) WHERE comes AND {_meet('n', bounds)}"
    )


def _meet(count: str, bounds: Sequence[Bound]) -> str:
    return " AND ".join(f"{count} {SYMBOLS[bound.operator]} {bound.number}" for bound in bounds)


def _term(term: Term, present: dict[str, str]) -> str:
    if term.operator == "rule":
        return present[term.rule]
    parts = [_term(part, present) for part in term.terms]
    if term.operator == "not":
        return f"(NOT {parts[0]})"
    return f"({f' {term.operator.upper()} '.join(parts)})"
