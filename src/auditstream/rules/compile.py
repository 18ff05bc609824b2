"""Compile a rule to an expression over the columns of events."""

from __future__ import annotations

from functools import reduce
from operator import and_, or_

import polars as pl

from auditstream.rules.fields import LOWER_CASE_FIELDS, TEXT_FIELDS
from auditstream.rules.rule import Condition, Rule


def compile_rule(rule: Rule) -> pl.Expr:
    """Return whether the rule fires for an event: never null.

    As in Sigma, text is compared without regard to case, and an absent value meets no condition
    but null.
    """
    fires = _all(rule.selection)
    return fires & ~_all(rule.exclusion) if rule.exclusion else fires


def _all(conditions: tuple[Condition, ...]) -> pl.Expr:
    return reduce(and_, (_meets(condition).fill_null(value=False) for condition in conditions))


def _meets(condition: Condition) -> pl.Expr:
    column = pl.col(condition.field)
    if condition.operator != "is":
        (limit,) = condition.values
        compare = {"gt": column.gt, "gte": column.ge, "lt": column.lt, "lte": column.le}
        return compare[condition.operator](limit)
    given = [value for value in condition.values if value is not None]
    options = [column.is_null()] if None in condition.values else []
    if condition.field in TEXT_FIELDS:
        texts = [str(value).lower() for value in given]
        if condition.field not in LOWER_CASE_FIELDS:
            column = column.str.to_lowercase()
        options += [column.is_in(texts)] if texts else []
    elif given:
        options.append(column.is_in(given))
    return reduce(or_, options)
