"""Load detection rules from files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, NoReturn, cast, get_args

import yaml
from pydantic import ValidationError

from auditstream.contract.template import parse_template
from auditstream.errors import ConfigurationError, ContractError, RuleError
from auditstream.rules.document import RuleDocument
from auditstream.rules.fields import NUMBER_FIELDS, TEXT_FIELDS
from auditstream.rules.rule import Condition, Operator, Rule, Value

SUFFIXES: Final = (".yml", ".yaml")
UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def load_rules(directory: Path | None = None) -> tuple[Rule, ...]:
    """Return the built-in rules and those of the files *.yml and *.yaml of a directory, by name.

    Raises:
        RuleError: a rule is wrong, or two have one name; the message names file and line.
        ConfigurationError: there is no such directory.
    """
    rules: dict[str, Rule] = {}
    for rule in (*builtin_rules(), *_own_rules(directory)):
        if rule.name in rules:
            other = rules[rule.name].origin
            raise RuleError(f"{rule.origin}: a rule named {rule.name} is already in {other}")
        rules[rule.name] = rule
    return tuple(rules[name] for name in sorted(rules))


@cache
def builtin_rules() -> tuple[Rule, ...]:
    """Return the rules shipped with the package."""
    return tuple(_read_files(files("auditstream.rules").joinpath("builtin")))


def parse_rule(text: str, origin: str) -> Rule:
    """Read one rule from YAML text; `origin` names it in errors.

    Raises:
        RuleError: the rule is wrong; the message names `origin` and the line.
    """
    try:
        content = yaml.safe_load(text)
        lines = _lines(yaml.compose(text, yaml.SafeLoader), ())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RuleError(f"{origin}:{line}: not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise RuleError(f"{origin}:1: not YAML: {error}") from error
    place = _Place(origin, lines)
    try:
        document = RuleDocument.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        place.fail(first["loc"], f"{name}: {first['msg']}" if name else first["msg"])
    return _rule(document, content, place)


class _Place:
    """Where in a file each part of a rule stands."""

    def __init__(self, origin: str, lines: dict[tuple[Any, ...], int]) -> None:
        self.origin = origin
        self._lines = lines

    def fail(self, path: tuple[Any, ...], message: str) -> NoReturn:
        while path and path not in self._lines:
            path = path[:-1]
        raise RuleError(f"{self.origin}:{self._lines.get(path, 1)}: {message}")


def _own_rules(directory: Path | None) -> Iterator[Rule]:
    if directory is None:
        return
    if not directory.is_dir():
        raise ConfigurationError(f"AUDITSTREAM_RULES_DIR: there is no directory {directory}")
    yield from _read_files(directory)


def _read_files(directory: Traversable) -> Iterator[Rule]:
    for file in sorted(directory.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(SUFFIXES):
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise RuleError(f"{file}:1: cannot be read: {error}") from error
            yield parse_rule(text, str(file))


def _lines(node: yaml.Node | None, path: tuple[Any, ...]) -> dict[tuple[Any, ...], int]:
    if node is None:
        return {}
    lines = {path: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            lines |= _lines(value, (*path, key.value)) | {
                (*path, key.value): key.start_mark.line + 1
            }
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines |= _lines(item, (*path, number))
    return lines


def _rule(document: RuleDocument, content: Any, place: _Place) -> Rule:
    detection, alert = document.detection, document.auditstream
    excludes = detection.condition != "selection"
    if excludes != (detection.filter is not None):
        place.fail(("detection", "condition"), "condition and filter do not fit each other")
    for number, name in enumerate(alert.group_by):
        if name not in TEXT_FIELDS:
            place.fail(("auditstream", "group_by", number), f"{name} is not a field of text")
    try:
        parse_template(alert.sentence)
    except ContractError as error:
        place.fail(("auditstream", "sentence"), str(error))
    canonical = json.dumps(content, sort_keys=True, default=str)
    return Rule(
        name=document.name,
        sigma_id=str(document.id),
        title=document.title,
        status=document.status,
        description=document.description,
        level=document.level,
        selection=_conditions(detection.selection, "selection", place),
        exclusion=_conditions(detection.filter or {}, "filter", place),
        group_by=tuple(alert.group_by),
        window=timedelta(**{UNITS[alert.window[-1]]: int(alert.window[:-1])}),
        sentence=alert.sentence,
        reason=alert.reason,
        runbook=alert.runbook,
        false_positives=tuple(document.falsepositives),
        content_hash=hashlib.sha256(canonical.encode()).hexdigest(),
        origin=place.origin,
    )


def _conditions(entries: dict[str, Any], name: str, place: _Place) -> tuple[Condition, ...]:
    return tuple(_condition(key, value, name, place) for key, value in entries.items())


def _condition(key: str, value: Any, section: str, place: _Place) -> Condition:
    path = ("detection", section, key)
    field, _, modifier = key.partition("|")
    if field not in TEXT_FIELDS | NUMBER_FIELDS:
        place.fail(path, f"{field} is not a field of an event that rules know")
    if modifier and modifier not in get_args(Operator)[1:]:
        place.fail(path, f"modifier {modifier} is not one of gt, gte, lt, lte")
    values: tuple[Value, ...] = tuple(value) if isinstance(value, list) else (value,)
    kind = str if field in TEXT_FIELDS else int | float
    for item in values:
        if item is None and not modifier:
            continue
        if not isinstance(item, kind):
            place.fail(path, f"{item!r} is not a value of {field}")
        if isinstance(item, str) and set(item) & set("*?\\"):
            place.fail(path, f"{item!r}: wildcards are not supported")
    if modifier and (field in TEXT_FIELDS or len(values) != 1):
        place.fail(path, f"modifier {modifier} takes one number")
    if not values:
        place.fail(path, "the list of values is empty")
    return Condition(field, cast("Operator", modifier or "is"), values)
