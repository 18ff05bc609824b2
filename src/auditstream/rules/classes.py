"""Classes of texts: all texts that pass the same tests are one class.

A text can pass a test only if it holds one of the texts the test asks for. One search for all of
them sets aside the few texts that may pass something; only those are looked at one by one, and
only against the tests whose text they hold.
"""

from __future__ import annotations

from ipaddress import IPv6Network
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from auditstream.rules.fold import fold, fold_expr
from auditstream.rules.meets import passes
from auditstream.rules.tree import Equals, Like, Matches, Test, Within

ABSENT: Final = 0
EMPTY: Final = 1
PLAIN: Final = 2
"""Classes of no value, of the empty text, and of texts that pass no test."""

FEW: Final = 4_096
"""Distinct texts up to which it pays to look at each once."""

MAX_TEXTS: Final = 200_000
"""Texts whose class is kept; beyond that all are forgotten."""


def is_searchable(test: Test) -> bool:
    """Return whether there are texts of which a text that passes the test holds one."""
    if isinstance(test, Equals | Within):
        return True
    if isinstance(test, Like):
        return any(isinstance(part, str) for part in test.parts)
    return isinstance(test, Matches) and bool(test.literals)


Codes: TypeAlias = npt.NDArray[np.int64]


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
        self._found: dict[str, int] = {}

    def add(self, test: Test) -> None:
        """Tell of a test, which has to be searchable."""
        self._tests[test] = None

    def prepare(self) -> None:
        """Make ready for the tests that were added."""
        for test in self._tests:
            if isinstance(test, Equals):
                for value in test.values:
                    self._equal.setdefault(fold(value), []).append(test)
            else:
                for text in _held_by(test):
                    self._held.setdefault(text, []).append(test)
        self._empty = frozenset(test for test in self._tests if passes(test, ""))
        self._passed = [frozenset(), self._empty, frozenset()]

    def is_absent(self, code: int) -> bool:
        """Return whether a class is of no value or the empty text."""
        return code in (ABSENT, EMPTY)

    def passes(self, code: int, test: Test) -> bool:
        """Return whether the texts of a class pass a test."""
        return test in self._passed[code]

    def codes(self, texts: pl.Series) -> Codes:
        """Return the class of each text."""
        distinct = texts.unique().drop_nulls()
        if len(distinct) > FEW:
            return self._search(texts)
        absent = len(distinct)
        classes = np.array([*self._remembered(distinct), ABSENT])
        places = texts.cast(pl.Enum(distinct)).to_physical().cast(pl.UInt32).fill_null(absent)
        found: Codes = classes[places.to_numpy()]
        return found

    def _remembered(self, texts: pl.Series) -> list[int]:
        if len(self._known) > MAX_TEXTS:
            self._known.clear()
        given = texts.to_list()
        new = [text for text in given if text not in self._known]
        if new:
            self._known.update(zip(new, self._search(pl.Series(new)).tolist(), strict=True))
        return [self._known[text] for text in given]

    def _search(self, texts: pl.Series) -> Codes:
        codes = np.full(len(texts), PLAIN, np.int64)
        codes[texts.is_null().to_numpy()] = ABSENT
        folded = texts.alias("text").to_frame().with_columns(fold_expr(pl.col("text")))
        text = pl.col("text")
        special = text == ""
        if self._equal:
            special |= text.is_in(list(self._equal))
        if self._held:
            special |= text.str.contains_any(list(self._held))
        places = folded.select(special.fill_null(value=False).arg_true()).to_series()
        if not places.is_empty():
            codes[places.to_numpy()] = self._classes(texts.gather(places))
        return codes

    def _classes(self, texts: pl.Series) -> list[int]:
        """Return the classes of texts that may pass something."""
        if len(self._found) > MAX_TEXTS:
            self._found.clear()
        given = texts.to_list()
        new = [text for text in dict.fromkeys(given) if text not in self._found]
        if new:
            folded = pl.select(text=fold_expr(pl.lit(pl.Series(new)))).to_series()
            held: list[list[str]] = [[] for _ in new]
            if self._held:
                held = folded.str.extract_many(list(self._held), overlapping=True).to_list()
            for text, form, literals in zip(new, folded, held, strict=True):
                self._found[text] = self._class(text, form, literals)
        return [self._found[text] for text in given]

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


def _held_by(test: Test) -> tuple[str, ...]:
    """Return folded texts of which a text that passes holds one."""
    if isinstance(test, Like):
        return (fold(max((part for part in test.parts if isinstance(part, str)), key=len)),)
    if isinstance(test, Matches):
        return test.literals
    if isinstance(test, Within):
        if isinstance(test.network, IPv6Network):
            return (":",)
        octets = str(test.network.network_address).split(".")[: test.network.prefixlen // 8]
        return (".".join(octets) + "." * (len(octets) < 4),)
    return ()
