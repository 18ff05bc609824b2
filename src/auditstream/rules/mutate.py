"""Small changes of a rule's condition, each of which a test of the rule should notice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from auditstream.rules.to_sql import tree_sql
from auditstream.rules.tree import (
    ANY,
    And,
    Compare,
    Equals,
    Holds,
    IsTruth,
    Like,
    Not,
    Operator,
    Or,
    Same,
    Tree,
)

_FLIPPED: Final[dict[Operator, tuple[Operator, ...]]] = {
    "gt": ("gte", "lt"),
    "gte": ("gt", "lt"),
    "lt": ("lte", "gt"),
    "lte": ("lt", "gt"),
    "eq": ("gte", "lte"),
}


def mutants(tree: Tree) -> Iterator[tuple[str, Tree]]:
    """Yield changed conditions with what was changed; none is written like another one.

    Some may still mean the same as the condition: no event tells these from it.
    """
    seen = {tree}
    for change, mutant in _mutants(tree):
        if mutant not in seen:
            seen.add(mutant)
            yield change, mutant


def _mutants(tree: Tree) -> Iterator[tuple[str, Tree]]:
    match tree:
        case And(items) | Or(items):
            other = "any" if isinstance(tree, And) else "all"
            yield f"{other} in place of {_shown(tree)}", Or(items) if other == "any" else And(items)
            for place, item in enumerate(items):
                rest = (*items[:place], *items[place + 1 :])
                if rest:
                    yield (
                        f"without {_shown(item)}",
                        rest[0] if len(rest) == 1 else replace(tree, items=rest),
                    )
                for change, mutant in _mutants(item):
                    yield change, replace(tree, items=(*items[:place], mutant, *items[place + 1 :]))
        case Not(item):
            yield f"without the not of {_shown(item)}", item
            yield from ((change, Not(mutant)) for change, mutant in _mutants(item))
        case Holds():
            yield f"not {_shown(tree)}", Not(tree)
            for mutant in _tests(tree):
                yield f"{_shown(mutant)} in place of {_shown(tree)}", mutant
        case Same(likeness=likeness):
            yield f"not {_shown(tree)}", Not(tree)
            if likeness != "equal":
                mutant = replace(tree, likeness="equal")
                yield f"{_shown(mutant)} in place of {_shown(tree)}", mutant
        case _:
            yield f"not {_shown(tree)}", Not(tree)


def _tests(leaf: Holds) -> Iterator[Holds]:
    match leaf.test:
        case Equals(values, cased) if len(values) > 1:
            for value in values:
                rest = tuple(other for other in values if other != value)
                yield replace(leaf, test=Equals(rest, cased))
        case Like(parts, cased):
            if parts[0] == ANY and len(parts) > 1:
                yield replace(leaf, test=Like(parts[1:], cased))
            if parts[-1] == ANY and len(parts) > 1:
                yield replace(leaf, test=Like(parts[:-1], cased))
        case Compare(operator, number):
            for flipped in _FLIPPED[operator]:
                yield replace(leaf, test=Compare(flipped, number))
        case IsTruth(value):
            yield replace(leaf, test=IsTruth(not value))
        case _:
            return


def _shown(tree: Tree) -> str:
    text = tree_sql(tree)
    return text if len(text) <= 160 else f"{text[:157]}..."
