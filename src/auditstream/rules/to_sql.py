"""From the tree to ClickHouse: what history is searched with.

A predicate stands in a WHERE over `audit.events AS e`. All values are literals of ours.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Final

from auditstream.rules.fold import FINAL_SIGMA, SIGMA, fold_sql
from auditstream.rules.meets import like_pattern
from auditstream.rules.numerals import DECIMALS, NUMERAL
from auditstream.rules.rule import Rule
from auditstream.rules.tree import (
    ANY,
    Absent,
    And,
    Array,
    Change,
    Column,
    Compare,
    Equals,
    Holds,
    IsTruth,
    Like,
    Matches,
    Metadata,
    Not,
    Or,
    Same,
    Shared,
    Source,
    Test,
    Tree,
    Within,
)
from auditstream.store.columns import EVENTS
from auditstream.store.sql import literal

ALIAS: Final = "e"
"""Name under which a predicate knows the table of events."""

_OPERATORS: Final = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_PARTS: Final = {
    "minute": "toMinute",
    "hour": "toHour",
    "day": "toDayOfMonth",
    "week": "toISOWeek",
    "month": "toMonth",
    "year": "toYear",
}
_IPV4: Final = r"\A(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.|\z)){4}\z"
_IPV6: Final = r"\A[0-9A-Fa-f:]{2,39}\z"


def compile_sql(rule: Rule) -> str:
    """Return the predicate of a rule over the table of events `e`; never NULL."""
    return tree_sql(rule.tree)


def either_sql(one: Rule, other: Rule) -> str:
    """Return the predicate that is met where that of one of two rules is; never NULL.

    What both ask for stands in it once: ClickHouse reads other columns only where that is met.
    """
    items, others = (r.tree.items if isinstance(r.tree, And) else (r.tree,) for r in (one, other))
    common = tuple(item for item in items if item in others)
    rests = [tuple(item for item in some if item not in common) for some in (items, others)]
    if not all(rests):
        return tree_sql(And(common))
    return tree_sql(And((*common, Or(tuple(And(rest) for rest in rests)))))


def tree_sql(tree: Tree) -> str:
    """Return the predicate of a tree over the table of events `e`; never NULL."""
    if isinstance(tree, And):
        return f"({' AND '.join(map(tree_sql, tree.items))})"
    if isinstance(tree, Or):
        return f"({' OR '.join(map(tree_sql, tree.items))})"
    if isinstance(tree, Not):
        return f"NOT {tree_sql(tree.item)}"
    if isinstance(tree, Absent):
        return _absent(tree.source)
    if isinstance(tree, Same):
        return _same(tree)
    if isinstance(tree, Shared):
        return _shared(tree)
    return _holds(tree)


def _holds(leaf: Holds) -> str:
    source = leaf.source
    if isinstance(source, Column):
        test = _passes(leaf.test, _column(source), is_text=source.kind == "text")
        return f"ifNull({test}, 0)" if EVENTS[source.name].nullable else f"({test})"
    condition, value = _item(source, "x")
    test = f"ifNull({_passes(leaf.test, value)}, 0)"
    return _some(source, "x", f"{condition}{test}")


def _absent(source: Source) -> str:
    if not isinstance(source, Column):
        condition, value = _item(source, "x")
        return f"(NOT {_some(source, 'x', f'{condition}isNotNull({value})')})"
    if source.kind == "text":
        return f"(ifNull({_column(source)}, '') = '')"
    return f"isNull({_column(source)})"


def _column(column: Column) -> str:
    name = f"{ALIAS}.{column.name}"
    is_word = column.kind == "text" and EVENTS[column.name].type.startswith(("UUID", "Enum8"))
    return f"toString({name})" if is_word else name


def _item(source: Array, name: str) -> tuple[str, str]:
    """Return the condition on an item of the array up to AND, and the item's value."""
    if isinstance(source, Change):
        return f"{name}.field = {literal(source.field)} AND ", f"{name}.{source.side}"
    if source.key is None:
        return "", f"{name}.value"
    return f"{name}.key = {literal(source.key)} AND ", f"{name}.value"


def _array(source: Array) -> str:
    return f"{ALIAS}.{'metadata' if isinstance(source, Metadata) else 'changes'}"


def _some(source: Array, name: str, condition: str) -> str:
    return f"arrayExists({name} -> {condition}, {_array(source)})"


def _passes(test: Test, value: str, *, is_text: bool = True) -> str:
    if isinstance(test, Equals):
        return _equals(test, value)
    if isinstance(test, Like):
        return _like(test, value)
    if isinstance(test, Matches):
        return f"match({value}, {literal(test.pattern)})"
    if isinstance(test, Within):
        return _within(test, value)
    if isinstance(test, Compare):
        return _compare(test, value, is_text=is_text)
    if isinstance(test, IsTruth):
        return value if test.value else f"NOT {value}"
    return f"{_PARTS[test.unit]}({value}) = {test.number}"


def _equals(test: Equals, value: str) -> str:
    folded = value if test.cased else _folded(value, *test.values)
    if len(test.values) == 1:
        return f"{folded} = {literal(test.values[0])}"
    return f"{folded} IN ({', '.join(map(literal, test.values))})"


def _like(test: Like, value: str) -> str:
    parts = test.parts
    texts = [part for part in parts if isinstance(part, str)]
    folded = value if test.cased else _folded(value, *texts)
    if len(texts) == 1 and len(parts) == 2 and ANY in parts:
        function = "startsWith" if parts[1] == ANY else "endsWith"
        return f"{function}({folded}, {literal(texts[0])})"
    if len(texts) == 1 and len(parts) == 3 and parts[0] == parts[2] == ANY:
        return f"position({folded}, {literal(texts[0])}) > 0"
    return f"match({folded}, {literal(like_pattern(test))})"


def _folded(value: str, *texts: str) -> str:
    # Which sigma it is matters only where a sigma is looked for.
    has_sigma = any(SIGMA in text or FINAL_SIGMA in text for text in texts)
    return fold_sql(value) if has_sigma else f"lowerUTF8({value})"


def _within(test: Within, value: str) -> str:
    first, last = test.network[0], test.network[-1]
    if isinstance(test.network, IPv4Network):
        form, convert = _IPV4, "toIPv4OrNull"
    else:
        form, convert = _IPV6, "toIPv6OrNull"
    address = f"{convert}(toString({value}))"
    of = convert.removesuffix("OrNull")
    return (
        f"(match({value}, {literal(form)}) AND ifNull({address} >= {of}('{first}')"
        f" AND {address} <= {of}('{last}'), 0))"
    )


def _compare(test: Compare, value: str, *, is_text: bool) -> str:
    sign = _OPERATORS[test.operator]
    if is_text:
        number = f"toDecimal128('{test.number:f}', {DECIMALS})"
        decimal = f"toDecimal128OrZero(toString({value}), {DECIMALS})"
        return f"(match({value}, {literal(NUMERAL)}) AND {decimal} {sign} {number})"
    if isinstance(test.number, int):
        return f"toInt64({value}) {sign} {test.number}"
    return f"toFloat64({value}) {sign} {float(test.number)!r}"


def _shared(leaf: Shared) -> str:
    condition, value = _item(leaf.source, "x")
    if isinstance(leaf.other, Column):
        equal = f"{fold_sql(value)} = {fold_sql(_column(leaf.other))}"
        return _some(leaf.source, "x", f"{condition}ifNull({equal}, 0)")
    other_condition, other = _item(leaf.other, "y")
    equal = f"{other_condition}ifNull({fold_sql(value)} = {fold_sql(other)}, 0)"
    return _some(leaf.source, "x", f"{condition}{_some(leaf.other, 'y', equal)}")


def _same(leaf: Same) -> str:
    one, other = _column(leaf.source), _column(leaf.other)
    if leaf.source.kind == "text":
        one, other = fold_sql(one), fold_sql(other)
    compared = {
        "equal": f"{one} = {other}",
        "startswith": f"startsWith({one}, {other})",
        "endswith": f"endsWith({one}, {other})",
        "contains": f"position({one}, {other}) > 0",
    }
    return f"ifNull({compared[leaf.likeness]}, 0)"
