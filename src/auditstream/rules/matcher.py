"""Many rules over a batch of events, at little more than the cost of a few.

No rule is evaluated for each event. Every event gets a key: for each column that rules read, the
class of its value, which stands for all values that pass the same tests. What fires for a key is
worked out once and kept, and a batch has few keys. Values that pass no test at all, which is
nearly all of them, are told apart by one search for all texts that any test asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from auditstream.rules.arrays import array_name, array_pairs
from auditstream.rules.classes import Codes, TextClasses, is_searchable
from auditstream.rules.rule import Rule
from auditstream.rules.to_polars import time_part, tree_expr
from auditstream.rules.tree import (
    Absent,
    And,
    Array,
    Column,
    Holds,
    Leaf,
    Not,
    Or,
    Same,
    Shared,
    TimePart,
    Tree,
    leaves,
)

MAX_KEYS: Final = 200_000
"""Keys that are kept; beyond that all are forgotten."""

BITS: Final = 48
ARRAYS: Final = "arrays"

Key: TypeAlias = tuple[int, ...]
Truth: TypeAlias = Callable[[Leaf], bool]


class Matcher:
    """Finds for each rule the events for which it fires. One thread at a time."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._trees = [rule.tree for rule in rules]
        self._columns: dict[str, TextClasses] = {}
        self._arrays: dict[str, int] = {}
        self._values = TextClasses()
        self._times: dict[str, pl.Expr] = {}
        self._direct: dict[Leaf, int] = {}
        for tree in self._trees:
            for leaf in leaves(tree):
                self._note(leaf)
        for classes in (*self._columns.values(), self._values):
            classes.prepare()
        words = range(0, len(self._direct), BITS)
        direct = list(self._direct)
        self._expressions = [
            _packed(direct[start : start + BITS]).alias(str(place))
            for place, start in enumerate(words)
        ]
        self._expressions += [part.alias(name) for name, part in self._times.items()]
        self._groups = [*self._columns, ARRAYS, *map(str, range(len(words))), *self._times]
        self._places = {name: place for place, name in enumerate(self._groups)}
        self._local: list[list[tuple[int, Tree]]] = [[] for _ in self._groups]
        self._rest: dict[int, list[Tree]] = {}
        for number, tree in enumerate(self._trees):
            self._split(number, tree)
        self._signatures: dict[str, int] = {}
        self._pairs: list[frozenset[tuple[int, int]]] = [frozenset()]
        self._passing: list[dict[int, int]] = [{} for _ in self._groups]
        self._firing: dict[Key, tuple[int, ...]] = {}

    def match(self, events: pl.DataFrame) -> dict[int, npt.NDArray[np.uint32]]:
        """Return the numbers of the rows for which rules fire, by the number of the rule."""
        if events.is_empty() or not self._trees:
            return {}
        if len(self._firing) > MAX_KEYS or len(self._signatures) > MAX_KEYS:
            self._forget()
        codes = {name: classes.codes(events[name]) for name, classes in self._columns.items()}
        codes[ARRAYS] = self._array_codes(events)
        packed = events.select(self._expressions) if self._expressions else pl.DataFrame()
        frame = pl.DataFrame(codes).hstack(packed.get_columns())
        keys = frame.with_row_index("row").group_by(self._groups).agg("row")
        found: dict[int, list[pl.Series]] = {}
        rows = keys["row"]
        for place, key in enumerate(keys.select(self._groups).iter_rows()):
            fires = self._firing.get(key)
            if fires is None:
                fires = self._firing[key] = self._fires(key)
            for number in fires:
                found.setdefault(number, []).append(rows[place])
        return {
            number: np.sort(np.concatenate([part.to_numpy() for part in parts]))
            for number, parts in sorted(found.items())
        }

    def _forget(self) -> None:
        self._firing.clear()
        self._signatures.clear()
        del self._pairs[1:]
        self._passing[self._places[ARRAYS]].clear()

    def _note(self, leaf: Leaf) -> None:
        if isinstance(leaf, Same | Shared):
            self._direct.setdefault(leaf, len(self._direct))
            return
        if time := _time(leaf):
            self._times.setdefault(_time_group(*time), _part(*time))
            return
        searchable = isinstance(leaf, Absent) or is_searchable(leaf.test)
        if not isinstance(leaf.source, Column):
            if searchable:
                self._arrays.setdefault(array_name(leaf.source), len(self._arrays) + 1)
        elif leaf.source.kind == "text":
            if searchable:
                self._columns.setdefault(leaf.source.name, TextClasses())
        else:
            searchable = False
        if not searchable:
            self._direct.setdefault(leaf, len(self._direct))
        elif isinstance(leaf, Holds):
            classes = self._values
            if isinstance(leaf.source, Column):
                classes = self._columns[leaf.source.name]
            classes.add(leaf.test)

    def _group(self, leaf: Leaf) -> str:
        if leaf in self._direct:
            return str(self._direct[leaf] // BITS)
        assert not isinstance(leaf, Same | Shared)  # noqa: S101 - those are direct
        if time := _time(leaf):
            return _time_group(*time)
        return leaf.source.name if isinstance(leaf.source, Column) else ARRAYS

    def _split(self, number: int, tree: Tree) -> None:
        """Note what of a rule is about one group alone; the rest is looked at last."""
        for item in tree.items if isinstance(tree, And) else (tree,):
            groups = {self._group(leaf) for leaf in leaves(item)}
            if len(groups) == 1:
                self._local[self._places[groups.pop()]].append((number, item))
            else:
                self._rest.setdefault(number, []).append(item)

    def _fires(self, key: Key) -> tuple[int, ...]:
        candidates = (1 << len(self._trees)) - 1
        for place, code in enumerate(key):
            passing = self._passing[place].get(code)
            if passing is None:
                passing = self._passing[place][code] = self._locally(place, code)
            candidates &= passing
            if not candidates:
                return ()
        truth = self._truth(key)
        return tuple(
            number
            for number in _bits(candidates)
            if all(_holds(item, truth) for item in self._rest.get(number, ()))
        )

    def _locally(self, place: int, code: int) -> int:
        """Return, as bits, the rules of which nothing fails by one group alone."""
        key = tuple(code if other == place else 0 for other in range(len(self._groups)))
        truth = self._truth(key)
        failing = {number for number, item in self._local[place] if not _holds(item, truth)}
        everything = (1 << len(self._trees)) - 1
        return everything & ~reduce(or_, (1 << number for number in failing), 0)

    def _truth(self, key: Key) -> Truth:
        def truth(leaf: Leaf) -> bool:
            code = key[self._places[self._group(leaf)]]
            if leaf in self._direct:
                return bool(code >> (self._direct[leaf] % BITS) & 1)
            assert not isinstance(leaf, Same | Shared)  # noqa: S101 - those are direct
            if not isinstance(leaf.source, Column):
                return self._in_arrays(leaf, leaf.source, code)
            if time := _time(leaf):
                return code == time[1].number
            classes = self._columns[leaf.source.name]
            if isinstance(leaf, Absent):
                return classes.is_absent(code)
            return classes.passes(code, leaf.test)

        return truth

    def _in_arrays(self, leaf: Holds | Absent, source: Array, code: int) -> bool:
        wanted = self._arrays[array_name(source)]
        classes = [value for name, value in self._pairs[code] if name == wanted]
        if isinstance(leaf, Absent):
            return not classes
        return any(self._values.passes(value, leaf.test) for value in classes)

    def _array_codes(self, events: pl.DataFrame) -> Codes:
        codes = np.zeros(events.height, np.int64)
        pairs = array_pairs(events, self._arrays)
        if pairs is None:
            return codes
        pairs = pairs.with_columns(value=pl.Series(self._values.codes(pairs["value"])))
        joined = (
            pairs.unique()
            .sort("row", "name", "value")
            .group_by("row", maintain_order=True)
            .agg(signature=pl.format("{}:{}", "name", "value").str.join(","))
        )
        signatures = joined["signature"]
        distinct = signatures.unique()
        numbers = [self._signature(text) for text in distinct]
        codes[joined["row"].to_numpy()] = signatures.replace_strict(
            distinct, numbers, return_dtype=pl.Int64
        ).to_numpy()
        return codes

    def _signature(self, text: str) -> int:
        number = self._signatures.get(text)
        if number is None:
            number = self._signatures[text] = len(self._pairs)
            parts = (pair.split(":") for pair in text.split(","))
            self._pairs.append(frozenset((int(name), int(value)) for name, value in parts))
        return number


def _time(leaf: Leaf) -> tuple[Column, TimePart] | None:
    if not isinstance(leaf, Holds) or not isinstance(leaf.source, Column):
        return None
    return (leaf.source, leaf.test) if isinstance(leaf.test, TimePart) else None


def _time_group(column: Column, test: TimePart) -> str:
    return f"{column.name}/{test.unit}"


def _part(column: Column, test: TimePart) -> pl.Expr:
    return time_part(test.unit, pl.col(column.name)).cast(pl.Int64).fill_null(-1)


def _packed(direct: Sequence[Leaf]) -> pl.Expr:
    bits = (tree_expr(leaf).cast(pl.Int64) * (1 << place) for place, leaf in enumerate(direct))
    return pl.sum_horizontal(*bits)


def _holds(tree: Tree, truth: Truth) -> bool:
    if isinstance(tree, And):
        return all(_holds(item, truth) for item in tree.items)
    if isinstance(tree, Or):
        return any(_holds(item, truth) for item in tree.items)
    return not _holds(tree.item, truth) if isinstance(tree, Not) else truth(tree)


def _bits(number: int) -> Iterable[int]:
    while number:
        low = number & -number
        yield low.bit_length() - 1
        number ^= low
