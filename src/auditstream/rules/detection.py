"""Detections: the conditions of a rule or a filter, read with pySigma, as one tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionIdentifier,
    ConditionItem,
    ConditionNOT,
    ConditionOR,
    ConditionSelector,
    ConditionValueExpression,
    SigmaCondition,
)
from sigma.exceptions import SigmaError, SigmaRuleLocation
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RegexEngine
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections

from auditstream.rules.modifiers import complaint
from auditstream.rules.place import Path, Place
from auditstream.rules.regex import RegexError, canonical_regex
from auditstream.rules.tree import And, Equals, Holds, Not, Or, Source, Tree
from auditstream.rules.values import ValueProblem, Values

EXACT: Final = 2**53
"""Largest number that pySigma hands on as it is."""

_PLAIN: Final = (str, int, float, bool, type(None))


class _Regex(RegexEngine):
    """Has pySigma check regular expressions by our rules."""

    def compile(self, pattern: str, flags: int = 0) -> Any:
        return canonical_regex(pattern)

    @property
    def error(self) -> type[Exception]:
        return RegexError


_POLICY: Final = SigmaPolicy(regex_engine=_Regex())


def read_detection(
    section: Mapping[str, Any], path: Path, place: Place, values: Values, skip: frozenset[str]
) -> Tree:
    """Return the tree of a section with detections and a condition.

    `path` is that of the section, `skip` names entries that are neither.

    Raises:
        RuleError: names file and line.
    """
    if "condition" not in section:
        place.fail(path, "condition: Field required")
    named = {
        name: _detection(definition, (*path, name), place)
        for name, definition in section.items()
        if name != "condition" and name not in skip
    }
    if not named:
        place.fail(path, "there is no detection, only a condition")
    conditions = section["condition"]
    conditions = conditions if isinstance(conditions, list) else [conditions]
    if not conditions or not all(isinstance(text, str) for text in conditions):
        place.fail((*path, "condition"), "condition: a text is wanted")
    where = (*path, "condition")
    trees = []
    used: set[str] = set()
    for text in conditions:
        try:
            detections = SigmaDetections(named, [text])
            condition = SigmaCondition(text, detections)
            used |= _names(condition.parse(postprocess=False), detections)
            parsed = condition.parse()
        except SigmaError as error:
            place.fail(where, f"condition {text!r}: {error.args[0]}")
        except RecursionError:
            place.fail(where, "the condition is nested too deep")
        if parsed is None:
            place.fail(where, f"condition {text!r} says nothing")
        trees.append(_tree(parsed, place, values, place.line(where)))
    for name in named:
        if name not in used:
            place.fail((*path, name), f"{name} is not used by the condition")
    return trees[0] if len(trees) == 1 else Or(tuple(trees))


def _detection(definition: Any, path: Path, place: Place) -> SigmaDetection:
    """Read as SigmaDetection.from_definition does, and keep the line of each item."""
    if isinstance(definition, Mapping) and definition:
        items: list[SigmaDetectionItem | SigmaDetection] = [
            _item(str(key), value, (*path, key), place) for key, value in definition.items()
        ]
        return SigmaDetection(items)
    if isinstance(definition, list) and not all(isinstance(item, _PLAIN) for item in definition):
        inner = (_detection(item, (*path, n), place) for n, item in enumerate(definition))
        return SigmaDetection([*inner])
    if definition in ({}, [], None):
        place.fail(path, f"{path[-1]} is empty")
    return SigmaDetection([_item(None, definition, path, place)])


def _item(key: str | None, value: Any, path: Path, place: Place) -> SigmaDetectionItem:
    if key is not None and (wrong := complaint(key)):
        place.fail(path, wrong)
    values = value if isinstance(value, list) else [value]
    if not values:
        place.fail(path, f"{key}: the list of values is empty")
    for number, item in enumerate(values):
        if not isinstance(item, _PLAIN):
            kind = type(item).__name__
            place.fail((*path, number), f"{key}: {item!r} is a {kind}; quote it if it is text")
        if isinstance(item, int | float) and abs(item) > EXACT:
            place.fail(path, f"{key}: {item} is too large to be compared exactly")
    location = SigmaRuleLocation(FilePath(place.origin), place.line(path))
    try:
        return SigmaDetectionItem.from_mapping(key, value, location, _POLICY)
    except SigmaError as error:
        place.fail(path, f"{key or 'keyword'}: {error.args[0]}")
    except RecursionError:
        place.fail(path, f"{key}: nested too deep")


def _names(item: Any, detections: SigmaDetections) -> set[str]:
    if isinstance(item, ConditionIdentifier):
        return {item.identifier}
    if isinstance(item, ConditionSelector):
        found = item.resolve_referenced_detections(detections)
        return {identifier.identifier for identifier in found}
    return {name for arg in item.args for name in _names(arg, detections)}


def _tree(item: Any, place: Place, values: Values, line: int) -> Tree:
    source = getattr(item, "source", None)
    line = source.line if source is not None and source.line else line
    if isinstance(item, ConditionItem):
        inner = tuple(_tree(arg, place, values, line) for arg in item.args)
        if isinstance(item, ConditionNOT):
            return Not(inner[0])
        if isinstance(item, ConditionAND | ConditionOR):
            return _joined(And if isinstance(item, ConditionAND) else Or, inner)
    try:
        if isinstance(item, ConditionFieldEqualsValueExpression):
            return values.field(item.field, item.value)
        if isinstance(item, ConditionValueExpression):
            return values.keyword(item.value)
    except ValueProblem as problem:
        place.fail_at(line, str(problem))
    raise TypeError(f"pySigma gave a {type(item).__name__}")


def _joined(kind: type[And | Or], items: tuple[Tree, ...]) -> Tree:
    flat = [
        inner for item in items for inner in (item.items if isinstance(item, kind) else (item,))
    ]
    unique = tuple(dict.fromkeys(_merged(flat) if kind is Or else flat))
    return kind(unique) if len(unique) > 1 else unique[0]


def _merged(items: list[Tree]) -> Iterator[Tree]:
    """Make one list of the values that alternatives compare one source with."""
    values: dict[tuple[Source, bool], dict[str, None]] = {}
    for item in items:
        if isinstance(item, Holds) and isinstance(item.test, Equals):
            known = values.setdefault((item.source, item.test.cased), {})
            known.update(dict.fromkeys(item.test.values))
        else:
            yield item
    for (source, cased), texts in values.items():
        yield Holds(source, Equals(tuple(texts), cased))
