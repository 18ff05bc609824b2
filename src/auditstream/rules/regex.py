r"""Regular expressions that mean the same in Rust's regex (Polars) and in RE2 (ClickHouse).

An expression is parsed and written anew in a canonical form, in which nothing is left to the
engine: classes are ranges, the cases that `i` allows are written out (`rules.fold`), `.` and the
anchors name their mode. \d, \w, \s and \b are those of ASCII. What only backtracking can do
(look-around, references) and what engines read differently is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import polars as pl
import re2

from auditstream.rules.fold import fold, variants

MAX_REPEAT: Final = 1_000
"""What RE2 repeats at most, nested repeats multiplied."""

_LAST: Final = 0x10FFFF
_BOUNDARY: Final = "\\b"
_CLASSES: Final[dict[str, tuple[tuple[int, int], ...]]] = {
    "d": ((0x30, 0x39),),
    "w": ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)),
    "s": ((0x09, 0x0D), (0x20, 0x20)),
}
_CONTROLS: Final = {"t": 0x09, "n": 0x0A, "v": 0x0B, "f": 0x0C, "r": 0x0D, "a": 0x07}
_HEX: Final = {"x": 2, "u": 4, "U": 8}

Ranges = tuple[tuple[int, int], ...]


class RegexError(ValueError):
    """The expression is wrong, or cannot mean the same in both engines; says why."""


class _Flags(NamedTuple):
    ignore_case: bool
    multiline: bool
    dot_all: bool


class Canonical(NamedTuple):
    """An expression in canonical form, and folded texts of which each find holds one.

    `literals` is empty where no such texts are known.
    """

    pattern: str
    literals: tuple[str, ...]


@lru_cache(4_096)
def canonical_regex(text: str, flags: str = "") -> Canonical:
    """Return an expression, which may have the flags i, m and s, in canonical form.

    Raises:
        RegexError: says what is wrong with it or what is not supported.
    """
    parser = _Parser(text)
    pattern = parser.alternatives(_Flags("i" in flags, "m" in flags, "s" in flags))
    if not parser.done:
        raise RegexError("unbalanced parenthesis")
    if parser.repeats > MAX_REPEAT:
        raise RegexError(f"repeats of more than {MAX_REPEAT} are not supported")
    _compile(pattern)
    return Canonical(pattern, tuple(parser.literals) if all(parser.literals) else ())


def _compile(pattern: str) -> None:
    """See that both engines take an expression, which may be too large for them."""
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
        pl.select(pl.lit("").str.contains(for_rust(pattern)))
    except (re2.error, pl.exceptions.PolarsError) as error:
        raise RegexError(f"the engines do not take it: {error}") from error


def literal(text: str) -> str:
    """Return the canonical form of a text that stands for itself."""
    return "".join(_character(ord(letter)) for letter in text)


def for_rust(pattern: str) -> str:
    """Return a canonical expression for Polars."""
    return pattern.replace(_BOUNDARY, r"(?-u:\b)")


class _Parser:
    """Recursive descent; each method returns what it read in canonical form."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.repeats = 1
        self.literals: list[str] = []
        self._depth = 0
        self._letter = ""

    @property
    def done(self) -> bool:
        return self._at == len(self._text)

    def alternatives(self, flags: _Flags) -> str:
        branches = []
        while True:
            branch, flags = self._sequence(flags)
            branches.append(branch)
            if not self._take("|"):
                return "|".join(branches)

    def _sequence(self, flags: _Flags) -> tuple[str, _Flags]:
        pieces: list[str] = []
        runs = [""]
        while not self.done and self._peek() not in "|)":
            if changed := self._inline_flags(flags):
                flags = changed
                continue
            outer, self.repeats = self.repeats, 1
            self._letter = ""
            atom, repeatable = self._atom(flags)
            letter = self._letter
            quantifier, most = self._quantifier()
            if quantifier and not repeatable:
                raise RegexError(f"{quantifier} has nothing to repeat")
            self.repeats = max(outer, self.repeats * most)
            pieces.append(atom + quantifier)
            if letter and quantifier in ("", "+"):
                runs[-1] += fold(letter)
            if not letter or quantifier:
                runs.append("")
        if self._depth == 0:
            self.literals.append(max(runs, key=len))
        return "".join(pieces), flags

    def _atom(self, flags: _Flags) -> tuple[str, bool]:
        letter = self._next()
        if letter == "(":
            return self._group(flags), True
        if letter == "[":
            return self._class(flags), True
        if letter == ".":
            return ("(?s:.)" if flags.dot_all else r"[^\n]"), True
        if letter == "^":
            return ("(?m:^)" if flags.multiline else r"\A"), False
        if letter == "$":
            return ("(?m:$)" if flags.multiline else r"\z"), False
        if letter in "*+?":
            raise RegexError(f"{letter} has nothing to repeat")
        if letter != "\\":
            self._letter = letter
            return _cased(ord(letter), flags), True
        return self._escape(flags)

    def _escape(self, flags: _Flags) -> tuple[str, bool]:
        letter = self._next("an escape")
        if letter == "A":
            return r"\A", False
        if letter in "zZ":
            return r"\z", False
        if letter == "b":
            return _BOUNDARY, False
        if letter == "B":
            raise RegexError(r"\B is not supported")
        if letter.lower() in _CLASSES:
            ranges = _CLASSES[letter.lower()]
            return _ranges(_complement(ranges) if letter.isupper() else ranges), True
        number = self._escaped_character(letter)
        self._letter = chr(number)
        return _cased(number, flags), True

    def _escaped_character(self, letter: str) -> int:
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter in _HEX:
            return self._hexadecimal(letter)
        if letter == "0" and not self._peek().isdecimal():
            return 0
        if letter.isalnum() and letter.isascii():
            raise RegexError(f"\\{letter} is not supported")
        return ord(letter)

    def _hexadecimal(self, letter: str) -> int:
        digits = self._text[self._at : self._at + _HEX[letter]]
        self._at += len(digits)
        try:
            number = int(digits, 16) if len(digits) == _HEX[letter] else -1
        except ValueError:
            number = -1
        if not 0 <= number <= _LAST or 0xD800 <= number < 0xE000:
            raise RegexError(f"\\{letter}{digits} is no character")
        return number

    def _group(self, flags: _Flags) -> str:
        if self._take("?"):
            if self._take("P<") or (self._peek() == "<" and self._second() not in "=!"):
                self._name()
            elif not self._take(":"):
                flags = self._group_flags(flags, ":")
        self._depth += 1
        if self._depth > 100:
            raise RegexError("groups are nested too deep")
        inner = self.alternatives(flags)
        self._depth -= 1
        if not self._take(")"):
            raise RegexError("a group is not closed")
        self._letter = ""
        return f"(?:{inner})"

    def _name(self) -> None:
        end = self._text.find(">", self._at)
        if end < 0 or not self._text[self._at : end].lstrip("<").isidentifier():
            raise RegexError("the name of a group is wrong")
        self._at = end + 1

    def _inline_flags(self, flags: _Flags) -> _Flags | None:
        rest = self._text[self._at :]
        head, closed, _ = rest[2:].partition(")")
        if not rest.startswith("(?") or not closed or not head.strip("-").isalpha():
            return None
        self._at += 2
        return self._group_flags(flags, ")")

    def _group_flags(self, flags: _Flags, end: str) -> _Flags:
        names = {"i": "ignore_case", "m": "multiline", "s": "dot_all"}
        wanted = True
        while not self._take(end):
            letter = self._next("a group")
            if letter == "-" and wanted:
                wanted = False
            elif letter in names:
                flags = flags._replace(**{names[letter]: wanted})
            else:
                raise RegexError(f"(?{letter} is not supported")
        return flags

    def _class(self, flags: _Flags) -> str:
        negated = self._take("^")
        ranges: list[tuple[int, int]] = []
        first = True
        while first or self._peek() != "]":
            first = False
            ranges += self._class_item()
        self._at += 1
        found = _merge(_with_cases(ranges) if flags.ignore_case else ranges)
        found = _complement(found) if negated else found
        if not found:
            raise RegexError("a class holds no character")
        return _ranges(found)

    def _class_item(self) -> Ranges:
        letter = self._next("a class")
        if letter == "[" or (letter in "&-|~" and self._peek() == letter):
            raise RegexError(f"{letter} in a class has to be escaped")
        if letter == "\\" and self._peek().lower() in _CLASSES:
            name = self._next()
            ranges = _CLASSES[name.lower()]
            if self._peek() == "-" and self._second() != "]":
                raise RegexError(f"\\{name} cannot begin a range")
            return _complement(ranges) if name.isupper() else ranges
        low = self._class_character(letter)
        if self._peek() != "-" or self._second() == "]":
            return ((low, low),)
        self._at += 1
        high = self._class_character(self._next("a class"))
        if high < low:
            raise RegexError("a range of a class runs backwards")
        return ((low, high),)

    def _class_character(self, letter: str) -> int:
        if letter == "[":
            raise RegexError("[ in a class has to be escaped")
        if letter != "\\":
            return ord(letter)
        escaped = self._next("a class")
        return 0x08 if escaped == "b" else self._escaped_character(escaped)

    def _quantifier(self) -> tuple[str, int]:
        quantifier, most = self._counts()
        if quantifier:
            self._take("?")  # lazy or not, what is found is the same
            if self._peek() == "+":
                raise RegexError("possessive repeats are not supported")
            if not self.done and (self._peek() in "*?" or self._counts()[0]):
                raise RegexError("a repeat cannot be repeated")
        return quantifier, most

    def _counts(self) -> tuple[str, int]:
        if not self.done and self._peek() in "*+?":
            return self._next(), 1
        head, closed, _ = self._text[self._at + 1 :].partition("}")
        low, comma, high = head.partition(",")
        if self._peek() != "{" or not closed or not (low + high).isdecimal():
            return "", 1
        if not low or not head.isascii():
            raise RegexError(f"{{{head}}}: the lower bound is missing")
        self._at += len(head) + 2
        most = max(int(low), int(high or 0))
        if high and int(high) < int(low):
            raise RegexError(f"{{{head}}}: the bounds are in the wrong order")
        if most > MAX_REPEAT:
            raise RegexError(f"repeats of more than {MAX_REPEAT} are not supported")
        return f"{{{int(low)}{comma}{int(high) if high else ''}}}", max(most, 1)

    def _peek(self) -> str:
        return self._text[self._at] if not self.done else ""

    def _second(self) -> str:
        return self._text[self._at + 1 : self._at + 2]

    def _take(self, text: str) -> bool:
        found = self._text.startswith(text, self._at)
        self._at += len(text) * found
        return found

    def _next(self, where: str = "the expression") -> str:
        if self.done:
            raise RegexError(f"{where} is not finished")
        self._at += 1
        return self._text[self._at - 1]


def _cased(number: int, flags: _Flags) -> str:
    if flags.ignore_case and number in variants():
        return _ranges(_merge((other, other) for other in variants()[number]))
    return _character(number)


def _with_cases(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for low, high in ranges:
        yield low, high
        for number, others in variants().items():
            if low <= number <= high:
                yield from ((other, other) for other in others)


def _merge(ranges: Iterable[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _complement(ranges: Ranges) -> Ranges:
    gaps, start = [], 0
    for low, high in ranges:
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= _LAST:
        gaps.append((start, _LAST))
    return tuple(gaps)


def _ranges(ranges: Ranges) -> str:
    return "[" + "".join(f"{_character(low)}-{_character(high)}" for low, high in ranges) + "]"


def _character(number: int) -> str:
    letter = chr(number)
    if letter == "\\" or number < 0x20 or 0x7F <= number < 0xA0:
        return f"\\x{number:02x}"
    if letter.isalnum() or not letter.isascii() or letter in " _\"'%,/:;<=>@`!":
        return letter
    return f"\\{letter}"
