"""Values of a detection as leaves of the tree, checked against what events can hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from math import ceil, floor
from typing import Final, TypeAlias

import polars as pl
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from auditstream.contract.catalogue import Catalogue
from auditstream.rules.fields import FieldError, domain, never_absent, source_of
from auditstream.rules.fold import fold
from auditstream.rules.meets import passes
from auditstream.rules.numerals import DECIMALS, DIGITS
from auditstream.rules.regex import RegexError, canonical_regex
from auditstream.rules.tree import (
    ANY,
    ONE,
    Absent,
    Column,
    Compare,
    Equals,
    Holds,
    IsTruth,
    Like,
    Likeness,
    Matches,
    Metadata,
    Not,
    Operator,
    Or,
    Same,
    Shared,
    Source,
    Test,
    TimePart,
    Tree,
    Unit,
    Within,
)
from auditstream.store.columns import EVENT_SCHEMA

KEYWORD_FIELDS: Final[tuple[Source, ...]] = (Column("sentence", "text"), Metadata(None))
"""Where keywords are looked for."""

_FLAGS: Final = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}
_OPERATORS: Final[dict[CompareOperators, Operator]] = {
    CompareOperators.LT: "lt",
    CompareOperators.LTE: "lte",
    CompareOperators.GT: "gt",
    CompareOperators.GTE: "gte",
}
_LIKENESS: Final[dict[tuple[bool, bool], Likeness]] = {
    (False, False): "equal",
    (True, False): "startswith",
    (False, True): "endswith",
    (True, True): "contains",
}
_UNITS: Final[dict[Unit, range]] = {
    "minute": range(60),
    "hour": range(24),
    "day": range(1, 32),
    "week": range(1, 54),
    "month": range(1, 13),
    "year": range(1970, 2300),
}

_Text: TypeAlias = SigmaString | SigmaRegularExpression


class ValueProblem(ValueError):  # noqa: N818 - becomes a RuleError where the line is known
    """A field or a value is wrong; says why."""


class Values:
    """Reads values of fields; notes in `expanded` the placeholders that it met."""

    def __init__(self, catalogue: Catalogue, placeholders: Mapping[str, Sequence[str]]) -> None:
        self._catalogue = catalogue
        self._placeholders = placeholders
        self.expanded: dict[str, tuple[str, ...]] = {}

    def field(self, name: str, value: SigmaType) -> Tree:
        """Return the tree of one field and one value.

        Raises:
            ValueProblem: there is no such field, or it can never have the value.
        """
        source = _source(name)
        if isinstance(value, SigmaNull | SigmaExists):
            return self._presence(source, name, value)
        if isinstance(value, SigmaString | SigmaRegularExpression):
            trees = [self._text(source, name, item) for item in self._expand(value)]
            return trees[0] if len(trees) == 1 else Or(tuple(trees))
        if isinstance(value, SigmaFieldReference):
            return _reference(source, name, value)
        if isinstance(value, SigmaCIDRExpression):
            return self._of_text(source, name, Within(value.network), value.cidr)
        if isinstance(value, SigmaBool):
            return _truth(source, name, value=value.boolean)
        if isinstance(value, SigmaTimestampPart):
            return _time_part(source, name, value)
        if isinstance(value, SigmaCompareExpression):
            return _comparison(source, name, _OPERATORS[value.op], value.number.number)
        if isinstance(value, SigmaNumber):
            if isinstance(source, Column):
                return _comparison(source, name, "eq", value.number)
            return Holds(source, Equals((str(value.number),), cased=False))
        raise ValueProblem(f"{name}: {type(value).__name__} is not supported")

    def keyword(self, value: SigmaType) -> Tree:
        """Return the tree of a value without a field: found in the sentence or in metadata.

        Raises:
            ValueProblem: it cannot be looked for.
        """
        if isinstance(value, SigmaNumber):
            value = SigmaString(str(value.number))
        if not isinstance(value, SigmaString | SigmaRegularExpression):
            raise ValueProblem(f"{value} is not a keyword; keywords are text")
        tests = [
            _test_of("keyword", item if isinstance(item, SigmaRegularExpression) else _found(item))
            for item in self._expand(value)
        ]
        if any(isinstance(test, Like) and set(test.parts) <= {ANY} for test in tests):
            raise ValueProblem("the keyword is empty: every event has it")
        return Or(tuple(Holds(source, test) for test in tests for source in KEYWORD_FIELDS))

    def _expand(self, value: _Text) -> Sequence[_Text]:
        if not value.contains_placeholder():
            return [value]
        if isinstance(value, SigmaRegularExpression):
            return value.replace_placeholders(self._values_of)
        expanded = value.replace_placeholders(self._values_of)
        if isinstance(value, SigmaCasedString):
            return [SigmaCasedString.from_sigma_string(item) for item in expanded]
        return expanded

    def _values_of(self, placeholder: Placeholder) -> Iterator[str]:
        name = placeholder.name
        values = tuple(self._placeholders.get(name, ()))
        if not values:
            known = ", ".join(sorted(self._placeholders)) or "none"
            raise ValueProblem(f"placeholder %{name}% has no values; known are: {known}")
        self.expanded[name] = values
        yield from values

    def _presence(self, source: Source, name: str, value: SigmaNull | SigmaExists) -> Tree:
        wants_absence = isinstance(value, SigmaNull) or not value.exists
        if isinstance(source, Column) and never_absent(source):
            never = "can never match" if wants_absence else "always matches"
            raise ValueProblem(f"{name} is never absent: this {never}")
        return Absent(source) if wants_absence else Not(Absent(source))

    def _text(self, source: Source, name: str, value: SigmaString | SigmaRegularExpression) -> Tree:
        test = _test_of(name, value)
        if isinstance(test, Like) and set(test.parts) <= {ANY}:
            if isinstance(source, Column) and never_absent(source):
                raise ValueProblem(f"{name} is never absent: this always matches")
            return Not(Absent(source))
        return self._of_text(source, name, test, str(value))

    def _of_text(self, source: Source, name: str, test: Test, shown: str) -> Tree:
        if not isinstance(source, Column):
            return Holds(source, test)
        if source.kind != "text":
            hint = "wildcards and patterns are for text" if not isinstance(test, Equals) else ""
            kind = {"time": "a time: use hour, day, ..."}.get(source.kind, f"of type {source.kind}")
            raise ValueProblem(
                f"{shown!r} is not a value of {name}, which is {kind}; {hint}".rstrip("; ")
            )
        values = domain(source, self._catalogue)
        if values is None:
            return Holds(source, test)
        found = tuple(sorted(value for value in values if passes(test, value)))
        if not found:
            known = ", ".join(sorted(filter(None, values)))
            raise ValueProblem(f"{name}: {shown!r} can never match; known are: {known}")
        return Holds(source, Equals(found, cased=True))


def _source(name: str) -> Source:
    try:
        return source_of(name)
    except FieldError as error:
        raise ValueProblem(str(error)) from None


def _test_of(name: str, value: SigmaString | SigmaRegularExpression) -> Test:
    if isinstance(value, SigmaRegularExpression):
        flags = "".join(_FLAGS[flag] for flag in sorted(value.flags, key=lambda item: item.name))
        try:
            return Matches(*canonical_regex(value.regexp.to_plain(regex=True), flags))
        except RegexError as error:
            raise ValueProblem(f"{name}: regular expression: {error}") from None
    cased = isinstance(value, SigmaCasedString)
    parts: list[str | int] = []
    for part in value.s:
        if isinstance(part, str):
            text = part if cased else fold(part)
            if parts and isinstance(parts[-1], str):
                parts[-1] += text
            else:
                parts.append(text)
        elif part is SpecialChars.WILDCARD_SINGLE:
            parts.append(ONE)
        elif not parts or parts[-1] is not ANY:
            parts.append(ANY)
    if all(isinstance(part, str) for part in parts):
        return Equals(("".join(map(str, parts)),), cased)
    return Like(tuple(parts), cased)  # type: ignore[arg-type]


def _found(value: SigmaString) -> SigmaString:
    wild = SpecialChars.WILDCARD_MULTI
    found = value if value.startswith(wild) else wild + value
    return found if found.endswith(wild) else found + wild


def _truth(source: Source, name: str, *, value: bool) -> Tree:
    if not isinstance(source, Column):
        return Holds(source, Equals((str(value).lower(),), cased=False))
    if source.kind != "boolean":
        raise ValueProblem(f"{value} is not a value of {name}; quote it if it is text")
    return Holds(source, IsTruth(value))


def _time_part(source: Source, name: str, value: SigmaTimestampPart) -> Tree:
    if not isinstance(source, Column) or source.kind != "time":
        raise ValueProblem(f"{name} is not a time")
    unit: Unit = value.timestamp_part.name.lower()  # type: ignore[assignment]
    if value.number not in _UNITS[unit]:
        raise ValueProblem(f"{name}: no {unit} is {value.number}, this can never match")
    return Holds(source, TimePart(unit, int(value.number)))


def _comparison(source: Source, name: str, operator: Operator, number: float) -> Tree:
    exact = Decimal(str(number))
    if not exact.is_finite():
        raise ValueProblem(f"{name}: {number} is not a number")
    if not isinstance(source, Column):
        return Holds(source, Compare(operator, _decimal(name, exact)))
    if source.kind == "real":
        return Holds(source, Compare(operator, exact))
    if source.kind != "integer":
        hint = "; quote it if it is text" if source.kind == "text" and operator == "eq" else ""
        raise ValueProblem(f"{number} is not a value of {name}, which is {source.kind}{hint}")
    return _of_integers(source, name, operator, exact)


def _of_integers(source: Column, name: str, operator: Operator, number: Decimal) -> Tree:
    never = f"{name}: {operator} {number} can never match"
    lowest, highest = _bounds(source.name)
    if operator == "eq" and number % 1:
        raise ValueProblem(never)
    bound = floor(number) if operator in ("gt", "lte") else ceil(number)
    reached = {
        "eq": lowest <= bound <= highest,
        "gt": highest > bound,
        "gte": highest >= bound,
        "lt": lowest < bound,
        "lte": lowest <= bound,
    }
    if not reached[operator]:
        raise ValueProblem(f"{never}: values are {lowest} to {highest}")
    return Holds(source, Compare(operator, max(lowest - 1, min(bound, highest + 1))))


def _bounds(column: str) -> tuple[int, int]:
    dtype = EVENT_SCHEMA[column]
    low, high = pl.select(dtype.min().alias("low"), dtype.max().alias("high")).row(0)  # type: ignore[union-attr]
    return int(low), int(high)


def _decimal(name: str, number: Decimal) -> Decimal:
    scaled = number.scaleb(DECIMALS)
    if scaled % 1 or abs(number) >= 10**DIGITS:
        raise ValueProblem(f"{name}: numbers have {DIGITS} digits and {DECIMALS} decimals at most")
    return number


def _reference(source: Source, name: str, value: SigmaFieldReference) -> Tree:
    other = _source(value.field)
    likeness = _LIKENESS[value.starts_with, value.ends_with]
    if other == source:
        raise ValueProblem(f"{name} is compared with itself")
    kinds = {item.kind if isinstance(item, Column) else "text" for item in (source, other)}
    if len(kinds) > 1 or (likeness != "equal" and kinds != {"text"}):
        raise ValueProblem(f"{name} cannot be compared with {value.field}: they differ in type")
    if isinstance(source, Column):
        if isinstance(other, Column):
            return Same(source, other, likeness)
        source, other = other, source
    if likeness != "equal":
        raise ValueProblem(f"{name}: fieldref with {likeness} needs two columns")
    return Shared(source, other)
