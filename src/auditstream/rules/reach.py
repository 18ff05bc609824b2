"""What a tree can reach: the actions for which it may hold, and trees that never hold."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Final, NamedTuple

from auditstream.contract.catalogue import Action, Catalogue
from auditstream.rules.meets import passes
from auditstream.rules.tree import (
    Absent,
    And,
    Column,
    Compare,
    Equals,
    Holds,
    IsTruth,
    Leaf,
    Like,
    Matches,
    Not,
    Or,
    Source,
    Test,
    TimePart,
    Tree,
    Within,
)

MAX_CASES: Final = 4_096
"""Cases of a rule that are looked at; one with more is taken to be possible."""


def possible_actions(tree: Tree, catalogue: Catalogue) -> frozenset[str]:
    """Return the actions for whose events the tree may hold, by what the catalogue says of them."""
    return frozenset(
        action.name for action in catalogue.actions.values() if _may(tree, action).hold
    )


def contradiction(tree: Tree) -> str | None:
    """Return why a tree can never hold, None if it may."""
    reason = None
    cases = _cases(tree, negated=False)
    if cases is None:
        return None
    for case in cases:
        reason = _conflict(case)
        if reason is None:
            return None
    return reason


class _May(NamedTuple):
    hold: bool
    fail: bool


def _may(tree: Tree, action: Action) -> _May:
    if isinstance(tree, Not):
        inner = _may(tree.item, action)
        return _May(inner.fail, inner.hold)
    if isinstance(tree, And | Or):
        items = [_may(item, action) for item in tree.items]
        every, some = (all, any) if isinstance(tree, And) else (any, all)
        return _May(every(item.hold for item in items), some(item.fail for item in items))
    if not isinstance(tree, Holds | Absent) or not isinstance(tree.source, Column):
        return _May(hold=True, fail=True)
    values = _known(tree.source.name, action)
    if values is None:
        return _May(hold=True, fail=True)
    found = [_is_met(tree, value) for value in values]
    return _May(any(found), not all(found))


def _known(column: str, action: Action) -> tuple[str | None, ...] | None:
    """Return all values that a column can have for an action, None where that is not known."""
    facts = {
        "action": action.name,
        "category": action.category,
        "description": action.description,
        "entity_type": action.entity_type,
        "severity": action.severity,
    }
    if column in facts:
        return (facts[column],)
    if column == "role":
        if "role" not in action.fields:
            return (None,)
        return action.roles if "role" in action.required else (*action.roles, None)
    subject = column.partition("_")[0]
    if subject in ("member", "group") and subject not in action.fields:
        return (None,)
    return None


def _is_met(leaf: Holds | Absent, value: str | None) -> bool:
    if isinstance(leaf, Absent):
        return not value
    return value is not None and passes(leaf.test, value)


class _Literal(NamedTuple):
    leaf: Leaf
    negated: bool


_Case = tuple[_Literal, ...]


def _cases(tree: Tree, *, negated: bool) -> tuple[_Case, ...] | None:
    """Return the tree as alternatives of literals that hold together, None if they are too many."""
    if isinstance(tree, Not):
        return _cases(tree.item, negated=not negated)
    if not isinstance(tree, And | Or):
        return ((_Literal(tree, negated),),)
    parts = []
    total = 1
    together = isinstance(tree, And) != negated
    for item in tree.items:
        cases = _cases(item, negated=negated)
        if cases is None:
            return None
        parts.append(cases)
        total = total * len(cases) if together else total + len(cases)
        if total > MAX_CASES:
            return None
    if not together:
        return tuple(case for cases in parts for case in cases)
    return tuple(tuple(dict.fromkeys(x for c in chosen for x in c)) for chosen in product(*parts))


def _conflict(case: _Case) -> str | None:
    by_source: dict[Source, list[_Literal]] = {}
    for item in case:
        if _Literal(item.leaf, not item.negated) in case:
            return "it wants something and its opposite"
        if isinstance(item.leaf, Holds | Absent):
            by_source.setdefault(item.leaf.source, []).append(item)
    for source, literals in by_source.items():
        if isinstance(source, Column) and (reason := _column_conflict(source, literals)):
            return reason
    return None


def _column_conflict(column: Column, literals: Iterable[_Literal]) -> str | None:
    tests = [(item.leaf.test, item.negated) for item in literals if isinstance(item.leaf, Holds)]
    wanted = [test for test, negated in tests if not negated]
    for item in literals:
        if not isinstance(item.leaf, Absent):
            continue
        if not item.negated and any(not _empty_passes(test) for test in wanted):
            return f"{column.name} is wanted both absent and with a value"
    if column.kind == "text":
        return _text_conflict(column, wanted, [test for test, negated in tests if negated])
    if column.kind in ("integer", "real"):
        return _number_conflict(column, wanted)
    if column.kind == "boolean" and {
        test.value for test in wanted if isinstance(test, IsTruth)
    } == {
        True,
        False,
    }:
        return f"{column.name} is wanted both true and false"
    parts = {(test.unit, test.number) for test in wanted if isinstance(test, TimePart)}
    if len({unit for unit, _ in parts}) < len(parts):
        return f"{column.name} is wanted at two times at once"
    return None


def _empty_passes(test: Test) -> bool:
    return isinstance(test, Equals | Like | Matches | Within) and passes(test, "")


def _text_conflict(column: Column, wanted: list[Test], unwanted: list[Test]) -> str | None:
    given = [test for test in wanted if isinstance(test, Equals)]
    if not given:
        return None
    # Folded candidates stand for all their spellings, which only another folded test judges alike.
    exact = next((test for test in given if test.cased), given[0])
    tests = [test for test in wanted if exact.cased or _folds(test)]
    left = [value for value in exact.values if all(passes(test, value) for test in tests)]
    if not left:
        return f"{column.name} is wanted to be two things at once"
    barring = [test for test in unwanted if exact.cased or _folds(test)]
    if not [value for value in left if not any(passes(test, value) for test in barring)]:
        return f"{column.name}: every wanted value is excluded"
    return None


def _folds(test: Test) -> bool:
    return isinstance(test, Equals | Like) and not test.cased


def _number_conflict(column: Column, wanted: list[Test]) -> str | None:
    compares = [test for test in wanted if isinstance(test, Compare)]
    step = 1 if column.kind == "integer" else 0
    low = [
        (test.number + (step if test.operator == "gt" else 0), test.operator == "gt" and not step)
        for test in compares
        if test.operator in ("gt", "gte", "eq")
    ]
    high = [
        (test.number - (step if test.operator == "lt" else 0), test.operator == "lt" and not step)
        for test in compares
        if test.operator in ("lt", "lte", "eq")
    ]
    for lowest, above in low:
        for highest, below in high:
            if lowest > highest or (lowest == highest and (above or below)):
                return f"{column.name} is wanted to be several numbers at once"
    return None
