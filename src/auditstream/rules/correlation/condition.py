"""Conditions of correlations: comparisons of a count, and expressions over rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from operator import eq, ge, gt, le, lt, ne
from typing import Final

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionItem,
    CorrelationConditionNOT,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.exceptions import SigmaError

from auditstream.rules.correlation.model import Bound, Operator, Term

COMPARE: Final = {"gt": gt, "gte": ge, "lt": lt, "lte": le, "eq": eq, "neq": ne}
OPERATORS: Final[tuple[Operator, ...]] = ("gt", "gte", "lt", "lte", "eq", "neq")

_WORDS: Final = re.compile(r"\b(and|or|not)\b", re.IGNORECASE)


def holds(bounds: Iterable[Bound], count: int) -> bool:
    """Return whether a count meets all bounds."""
    return all(COMPARE[bound.operator](count, bound.number) for bound in bounds)


def check_bounds(bounds: tuple[Bound, ...], most: int | None) -> None:
    """Check that a count of 1 or more, and at most `most` if given, may meet the bounds or not.

    Raises:
        ValueError: no count meets them, or every count does.
    """
    # Between two neighbouring numbers of the bounds nothing changes.
    counts = {1} | {b.number + step for b in bounds for step in (-1, 0, 1)}
    possible = {count for count in counts if count >= 1 and (most is None or count <= most)}
    met = {count for count in possible if holds(bounds, count)}
    limit = "" if most is None else f" and at most {most}"
    if not met:
        raise ValueError(f"never holds: the count is at least 1{limit}")
    if met == possible:
        raise ValueError(f"always holds: the count is at least 1{limit}")


def parse_term(text: str) -> Term:
    """Read a condition over rules: names, `and`, `or`, `not` and parentheses.

    Raises:
        ValueError: it is not written so.
    """
    lowered = _WORDS.sub(lambda word: word[0].lower(), text)
    try:
        return _term(SigmaExtendedCorrelationCondition(lowered).parsed)
    except (SigmaError, RecursionError) as error:
        raise ValueError(f"{text!r} is no condition over rules: {error}") from error


def check_term(term: Term) -> None:
    """Check that some but not all windows meet the condition; each holds an event of some rule.

    Raises:
        ValueError: no window does, or every one.
    """
    names = sorted(set(term.rules()))
    if len(names) > MAX_RULES:
        raise ValueError(f"a condition over rules takes {MAX_RULES} of them at most")
    worlds = [
        {name for place, name in enumerate(names) if world >> place & 1}
        for world in range(1, 2 ** len(names))
    ]
    met = [meets(term, world) for world in worlds]
    if not any(met):
        raise ValueError("the condition never holds")
    if all(met):
        raise ValueError("the condition always holds where one of its rules has an event")


def meets(term: Term, present: set[str]) -> bool:
    """Return whether the condition holds when exactly the rules `present` have an event."""
    if term.operator == "rule":
        return term.rule in present
    results = (meets(part, present) for part in term.terms)
    if term.operator == "not":
        return not next(results)
    return all(results) if term.operator == "and" else any(results)


MAX_RULES: Final = 6
"""Rules that a temporal correlation may name: it looks at each subset of them."""


def _term(item: CorrelationConditionItem | SigmaRuleReference) -> Term:
    if isinstance(item, SigmaRuleReference):
        return Term("rule", item.reference)
    terms = tuple(_term(argument) for argument in item.args)
    if isinstance(item, CorrelationConditionNOT):
        return Term("not", terms=terms)
    return Term("and" if isinstance(item, CorrelationConditionAND) else "or", terms=terms)
