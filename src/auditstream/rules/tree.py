"""The one tree of a rule, from which both engines are compiled.

A tree never knows Sigma's syntax: wildcards are parts, regular expressions are in one canonical
form (`rules.regex`), texts to compare without regard to case are folded (`rules.fold`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["text", "integer", "real", "boolean", "time"]
Operator: TypeAlias = Literal["eq", "gt", "gte", "lt", "lte"]
Unit: TypeAlias = Literal["minute", "hour", "day", "week", "month", "year"]
Likeness: TypeAlias = Literal["equal", "startswith", "endswith", "contains"]
Number: TypeAlias = int | Decimal


@dataclass(frozen=True, slots=True)
class Column:
    """A column of events."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Metadata:
    """The values of a key of the metadata, or of any key (None); a key may have several values."""

    key: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """The values of a changed field before or after; a field may have changed more than once."""

    field: str
    side: Literal["old", "new"]


Array: TypeAlias = Metadata | Change
Source: TypeAlias = Column | Array


@dataclass(frozen=True, slots=True)
class Equals:
    """Text that is one of `values`; they are folded unless `cased`."""

    values: tuple[str, ...]
    cased: bool


@dataclass(frozen=True, slots=True)
class Like:
    """Text of the form of `parts`: text as it stands, any text (ANY), any one character (ONE).

    Texts are folded unless `cased`; the whole text has to be of the form.
    """

    parts: tuple[str | Literal[0, 1], ...]
    cased: bool


ANY: Literal[0] = 0
ONE: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class Matches:
    """Text in which a regular expression of canonical form finds something.

    The text then holds, folded, one of `literals`; none are given where none are known.
    """

    pattern: str
    literals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Within:
    """Text that is an address within a network; text of another form is within none."""

    network: IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Compare:
    """A number; text counts as one in decimal notation of 18 digits and 9 decimals at most."""

    operator: Operator
    number: Number


@dataclass(frozen=True, slots=True)
class IsTruth:
    """A truth value."""

    value: bool


@dataclass(frozen=True, slots=True)
class TimePart:
    """A part of a time in UTC; weeks and their days are those of ISO 8601."""

    unit: Unit
    number: int


Test: TypeAlias = Equals | Like | Matches | Within | Compare | IsTruth | TimePart


@dataclass(frozen=True, slots=True)
class Holds:
    """Some value of the source passes the test; an absent one passes none."""

    source: Source
    test: Test


@dataclass(frozen=True, slots=True)
class Absent:
    """The source has no value: null or, in a column of text, empty."""

    source: Source


@dataclass(frozen=True, slots=True)
class Same:
    """The value of a column is like that of another of its kind; texts are compared folded."""

    source: Column
    other: Column
    likeness: Likeness


@dataclass(frozen=True, slots=True)
class Shared:
    """Some text of the source is, folded, one of the other's."""

    source: Array
    other: Source


@dataclass(frozen=True, slots=True)
class And:
    """All hold."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one holds."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    item: Tree


Leaf: TypeAlias = Holds | Absent | Same | Shared
Tree: TypeAlias = And | Or | Not | Leaf


def both(first: Tree, second: Tree) -> Tree:
    """Return the tree that holds where two hold."""
    return And(
        tuple(
            item
            for tree in (first, second)
            for item in (tree.items if isinstance(tree, And) else (tree,))
        )
    )


def leaves(tree: Tree) -> tuple[Leaf, ...]:
    """Return the leaves from left to right."""
    if isinstance(tree, And | Or):
        return tuple(leaf for item in tree.items for leaf in leaves(item))
    return leaves(tree.item) if isinstance(tree, Not) else (tree,)
