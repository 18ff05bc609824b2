"""From the tree to Polars: what the stream evaluates."""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal
from functools import reduce
from typing import Any, Final

import polars as pl

from auditstream.rules.fold import fold_expr
from auditstream.rules.meets import like_pattern, within
from auditstream.rules.numerals import DTYPE, NUMERAL
from auditstream.rules.regex import for_rust
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
    Unit,
    Within,
)

_COMPARE: Final[dict[str, Callable[[pl.Expr, Any], pl.Expr]]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def compile_polars(rule: Rule) -> pl.Expr:
    """Return whether the rule fires for a row of a frame of `EVENT_SCHEMA`; never null."""
    return tree_expr(rule.tree)


def tree_expr(tree: Tree) -> pl.Expr:
    """Return whether a tree holds for a row of events; never null."""
    if isinstance(tree, And):
        return reduce(operator.and_, map(tree_expr, tree.items))
    if isinstance(tree, Or):
        return reduce(operator.or_, map(tree_expr, tree.items))
    if isinstance(tree, Not):
        return ~tree_expr(tree.item)
    if isinstance(tree, Absent):
        return _absent(tree.source)
    if isinstance(tree, Same):
        return _same(tree)
    if isinstance(tree, Shared):
        return _shared(tree)
    return _holds(tree)


def passes_expr(test: Test, value: pl.Expr, *, is_text: bool = True) -> pl.Expr:
    """Return whether values pass a test: null where the value is."""
    if isinstance(test, Equals):
        text = value if test.cased else fold_expr(value)
        return text == test.values[0] if len(test.values) == 1 else text.is_in(test.values)
    if isinstance(test, Like):
        return _like(test, value if test.cased else fold_expr(value))
    if isinstance(test, Matches):
        return value.str.contains(for_rust(test.pattern))
    if isinstance(test, Within):
        return value.map_batches(lambda texts: _within(test, texts), return_dtype=pl.Boolean)
    if isinstance(test, Compare):
        return _compare(test, value, is_text=is_text)
    if isinstance(test, IsTruth):
        return value if test.value else ~value
    return time_part(test.unit, value) == test.number


def _holds(leaf: Holds) -> pl.Expr:
    source, test = leaf.source, leaf.test
    if isinstance(source, Column):
        expr = passes_expr(test, pl.col(source.name), is_text=source.kind == "text")
        return expr.fill_null(value=False)
    wanted, value = _item(source)
    passed = passes_expr(test, value).fill_null(value=False)
    return _some(source, passed if wanted is None else wanted & passed)


def _absent(source: Source) -> pl.Expr:
    if isinstance(source, Column):
        column = pl.col(source.name)
        if source.kind == "text":
            return (column.is_null() | (column == "")).fill_null(value=True)
        return column.is_null()
    wanted, value = _item(source)
    there = value.is_not_null()
    return ~_some(source, there if wanted is None else wanted & there)


def _item(source: Array) -> tuple[pl.Expr | None, pl.Expr]:
    """Return whether an item of the array is one of the source's, and the item's value."""
    item = pl.element().struct
    if isinstance(source, Change):
        return item.field("field") == source.field, item.field(source.side)
    return None if source.key is None else item.field("key") == source.key, item.field("value")


def _array(source: Array) -> pl.Expr:
    return pl.col("metadata" if isinstance(source, Metadata) else "changes")


def _some(source: Array, condition: pl.Expr) -> pl.Expr:
    found = _array(source).list.eval(condition.any(ignore_nulls=True)).list.first()
    return found.fill_null(value=False)


def _like(test: Like, text: pl.Expr) -> pl.Expr:
    parts = test.parts
    if len(parts) == 2 and isinstance(parts[0], str) and parts[1] == ANY:
        return text.str.starts_with(parts[0])
    if len(parts) == 2 and parts[0] == ANY and isinstance(parts[1], str):
        return text.str.ends_with(parts[1])
    if len(parts) == 3 and parts[0] == parts[2] == ANY and isinstance(parts[1], str):
        return text.str.contains(parts[1], literal=True)
    return text.str.contains(like_pattern(test))


def _within(test: Within, texts: pl.Series) -> pl.Series:
    distinct = texts.unique().drop_nulls()
    inside = [text for text in distinct.to_list() if within(test, text)]
    return texts.is_in(inside)


def _compare(test: Compare, value: pl.Expr, *, is_text: bool) -> pl.Expr:
    compare = _COMPARE[test.operator]
    if is_text:
        numeral = pl.when(value.str.contains(NUMERAL)).then(value)
        limit = pl.lit(Decimal(test.number), DTYPE)
        return compare(numeral.cast(DTYPE, strict=False), limit)
    if isinstance(test.number, int):
        return compare(value.cast(pl.Int64), test.number)
    return compare(value.cast(pl.Float64), float(test.number))


def time_part(unit: Unit, value: pl.Expr) -> pl.Expr:
    """Return a part of times in UTC as a number."""
    parts = {
        "minute": value.dt.minute,
        "hour": value.dt.hour,
        "day": value.dt.day,
        "week": value.dt.week,
        "month": value.dt.month,
        "year": value.dt.year,
    }
    return parts[unit]()


def _shared(leaf: Shared) -> pl.Expr:
    values = _values(leaf.source)
    if isinstance(leaf.other, Column):
        value = fold_expr(pl.col(leaf.other.name))
        return (value.is_not_null() & values.list.contains(value)).fill_null(value=False)
    common = values.list.set_intersection(_values(leaf.other))
    return (common.list.len() > 0).fill_null(value=False)


def _same(leaf: Same) -> pl.Expr:
    first, second = pl.col(leaf.source.name), pl.col(leaf.other.name)
    if leaf.source.kind == "text":
        first, second = fold_expr(first), fold_expr(second)
    compared = {
        "equal": lambda: first == second,
        "startswith": lambda: first.str.starts_with(second),
        "endswith": lambda: first.str.ends_with(second),
        "contains": lambda: first.str.contains(second, literal=True),
    }
    return compared[leaf.likeness]().fill_null(value=False)


def _values(source: Array) -> pl.Expr:
    """Return the values of a source in an array, folded, as lists without nulls."""
    wanted, value = _item(source)
    values = value if wanted is None else value.filter(wanted)
    return _array(source).list.eval(fold_expr(values.drop_nulls()))
