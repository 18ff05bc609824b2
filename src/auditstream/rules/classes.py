"""Classes of texts: all texts that pass the same tests are one class.

A text can pass a test only if it holds one of the texts the test asks for. One search for all of
them sets aside the few texts that may pass something; only those are looked at one by one, and
only against the tests whose text they hold.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from auditstream.rules.fold import fold, fold_expr
from auditstream.rules.meets import passes
from auditstream.rules.tree import Equals, Like, Matches, Test

ABSENT: Final = 0
EMPTY: Final = 1
PLAIN: Final = 2
"""Classes of no value, of the empty text, and of texts that pass no test."""

MAX_TEXTS: Final = 200_000
"""Texts whose class is kept; beyond that all are forgotten."""


def is_searchable(test: Test) -> bool:
    """Return whether there are texts of which a text that passes the test holds one."""
    if isinstance(test, Equals):
        return True
    if isinstance(test, Like):
        return any(isinstance(part, str) for part in test.parts)
    return isinstance(test, Matches) and bool(test.literals)


class TextClasses:
    """The classes of the texts of one column, by the tests that rules make of it."""

    def __init__(self) -> None:
        self._tests: dict[Test, None] = {}
        self._equal: dict[str, list[Test]] = {}
        self._held: dict[str, list[Test]] = {}
        self._empty: frozenset[Test] = frozenset()
        self._passed: list[frozenset[Test]] = []
        self._numbers: dict[frozenset[Test], int] = {}
        self._known: dict[str, int] = {}

    def add(self, test: Test) -> None:
        """Tell of a test, which has to be searchable."""
        self._tests[test] = None

    def prepare(self) -> None:
        """Make ready for the tests that were added."""
        for test in self._tests:
            if isinstance(test, Equals):
                for value in test.values:
                    self._equal.setdefault(fold(value), []).append(test)
            elif isinstance(test, Like):
                texts = (part for part in test.parts if isinstance(part, str))
                self._held.setdefault(fold(max(texts, key=len)), []).append(test)
            elif isinstance(test, Matches):
                for text in test.literals:
                    self._held.setdefault(text, []).append(test)
        self._empty = frozenset(test for test in self._tests if passes(test, ""))
        self._passed = [frozenset(), self._empty, frozenset()]

    def is_absent(self, code: int) -> bool:
        """Return whether a class is of no value or the empty text."""
        return code in (ABSENT, EMPTY)

    def passes(self, code: int, test: Test) -> bool:
        """Return whether the texts of a class pass a test."""
        return test in self._passed[code]

    def codes(self, texts: pl.Series) -> npt.NDArray[np.int64]:
        """Return the class of each text."""
        codes = np.full(len(texts), PLAIN, np.int64)
        if texts.null_count():
            codes[texts.is_null().to_numpy()] = ABSENT
        name = texts.name
        folded = texts.to_frame().select(fold_expr(pl.col(name)).alias(name))
        column = pl.col(name)
        special = column == ""
        if self._equal:
            special |= column.is_in(list(self._equal))
        if self._held:
            special |= column.str.contains_any(list(self._held))
        places = folded.select(special.fill_null(value=False).arg_true()).to_series()
        if not places.is_empty():
            found = texts.gather(places)
            distinct = found.unique()
            numbers = self._classes(distinct)
            codes[places.to_numpy()] = found.replace_strict(
                distinct, numbers, return_dtype=pl.Int64
            ).to_numpy()
        return codes

    def _classes(self, texts: pl.Series) -> list[int]:
        if len(self._known) > MAX_TEXTS:
            self._known.clear()
        new = [text for text in texts if text not in self._known]
        if new:
            folded = pl.select(text=fold_expr(pl.lit(pl.Series(new)))).to_series()
            if self._held:
                held = folded.str.extract_many(list(self._held), overlapping=True).to_list()
            else:
                held = [[]] * len(new)
            for text, form, literals in zip(new, folded, held, strict=True):
                self._known[text] = self._class(text, form, literals)
        return [self._known[text] for text in texts]

    def _class(self, text: str, form: str, literals: list[str]) -> int:
        if not text:
            return EMPTY
        tests = {test for literal in literals for test in self._held[literal]}
        tests.update(self._equal.get(form, ()))
        passed = frozenset(test for test in tests if passes(test, text))
        if not passed:
            return PLAIN
        number = self._numbers.get(passed)
        if number is None:
            number = self._numbers[passed] = len(self._passed)
            self._passed.append(passed)
        return number
