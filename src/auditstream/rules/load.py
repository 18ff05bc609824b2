"""Load detection rules from files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from auditstream.contract.catalogue import Catalogue, shipped_catalogue
from auditstream.contract.template import parse_template
from auditstream.errors import ContractError, RuleError
from auditstream.rules.correlation.link import link
from auditstream.rules.correlation.model import CompoundRule
from auditstream.rules.correlation.parse import is_compound, parse_compound
from auditstream.rules.detection import read_detection
from auditstream.rules.document import FilterDocument, RuleDocument
from auditstream.rules.fields import columns, text_columns
from auditstream.rules.files import (
    PLACEHOLDERS,
    builtin_directory,
    own_directory,
    read_file,
    read_placeholders,
    rule_files,
)
from auditstream.rules.place import Document, Place, documents
from auditstream.rules.reach import contradiction, possible_actions
from auditstream.rules.rule import Rule, RuleProblem, RuleSet
from auditstream.rules.tree import Tree, both
from auditstream.rules.values import Values

UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

Model = TypeVar("Model", bound=BaseModel)
Placeholders = Mapping[str, Sequence[str]]


def load_rules(
    directory: Path | None = None,
    *,
    catalogue: Catalogue | None = None,
    placeholders: Placeholders | None = None,
    strict: bool = True,
    first: Path | None = None,
) -> RuleSet:
    """Read the built-in rules and those of the files *.yml and *.yaml under a directory.

    A file may hold several documents: rules, filters, correlations. Placeholders have the values
    of `placeholders` and of a file placeholders.yml of the directory, which goes before. Without
    `strict` what is wrong is left out and told in `problems`, one for each document. A file
    `first` is read before the others: its rules stand in place of those of the same name.

    Raises:
        RuleError: `strict`, and a rule is wrong, or two have one name; names file and line.
        ConfigurationError: there is no such directory.
    """
    reader = _Reader(catalogue or shipped_catalogue(), dict(placeholders or {}), strict=strict)
    if first is not None:
        reader.read_file(first)
    reader.read_directory(builtin_directory())
    if directory is not None:
        reader.read_directory(own_directory(directory))
    return reader.rule_set()


@cache
def builtin_rules() -> tuple[Rule, ...]:
    """Return the rules of single events shipped with the package."""
    return load_rules().rules


def parse_rules(
    text: str,
    origin: str,
    *,
    catalogue: Catalogue | None = None,
    placeholders: Placeholders | None = None,
) -> RuleSet:
    """Read the rules, filters and correlations of one YAML text; `origin` names it in errors.

    Raises:
        RuleError: something is wrong; the message names `origin` and the line.
    """
    reader = _Reader(catalogue or shipped_catalogue(), dict(placeholders or {}), strict=True)
    reader.read_text(text, origin)
    return reader.rule_set()


def parse_rule(text: str, origin: str) -> Rule:
    """Read one rule from YAML text; `origin` names it in errors.

    Raises:
        RuleError: the rule is wrong, or there is not one; the message names `origin` and the line.
    """
    found = parse_rules(text, origin)
    if len(found.rules) != 1:
        raise RuleError(f"one rule is wanted, not {len(found.rules)}", origin)
    return found.rules[0]


@dataclass(frozen=True, slots=True)
class _Filter:
    name: str
    rules: frozenset[str] | None
    """Names and ids; None: all."""
    tree: Tree
    content: Any
    expanded: Mapping[str, Sequence[str]]
    place: Place


@dataclass(slots=True)
class _Reader:
    """Collects what files hold, then brings rules, filters and correlations together."""

    catalogue: Catalogue
    placeholders: dict[str, Sequence[str]]
    strict: bool
    rules: dict[str, Rule] = field(default_factory=dict)
    places: dict[str, Document] = field(default_factory=dict)
    filters: list[_Filter] = field(default_factory=list)
    compounds: list[CompoundRule] = field(default_factory=list)
    problems: list[RuleProblem] = field(default_factory=list)

    def read_directory(self, directory: Traversable) -> None:
        files = list(rule_files(directory))
        for file in files:
            if file.name in PLACEHOLDERS:
                try:
                    self.placeholders |= read_placeholders(read_file(file), str(file))
                except RuleError as error:
                    self._note(error)
        for file in files:
            if file.name not in PLACEHOLDERS:
                self.read_file(file)

    def read_file(self, file: Traversable) -> None:
        try:
            text = read_file(file)
        except RuleError as error:
            self._note(error)
        else:
            self.read_text(text, str(file))

    def read_text(self, text: str, origin: str) -> None:
        found = False
        try:
            for document in documents(text, origin):
                found = True
                try:
                    self._read(document)
                except RuleError as error:
                    self._note(error)
        except RuleError as error:
            found = True
            self._note(error)
        if not found:
            self._note(RuleError("the file holds no rule", origin))

    def rule_set(self) -> RuleSet:
        for item in self.filters:
            try:
                self._apply(item)
            except RuleError as error:
                self._note(error)
        names = {
            known: rule.name
            for rule in self.rules.values()
            for known in (rule.name, rule.sigma_id)
            if known
        }
        linked = link(self.compounds, names)
        for problem in linked.problems:
            self._note(problem)
        muted = linked.muted()
        rules = (
            replace(rule, alerts=rule.alerts and rule.name not in muted)
            for _, rule in sorted(self.rules.items())
        )
        return RuleSet(tuple(rules), linked, tuple(self.problems))

    def _note(self, error: RuleError) -> None:
        if self.strict:
            raise error
        problem = RuleProblem(error.file, error.line, error.message)
        self.problems.append(problem)

    def _read(self, document: Document) -> None:
        content, place = document.content, document.place
        if not isinstance(content, dict):
            place.fail((), "a rule is a mapping")
        if is_compound(content):
            self.compounds.append(
                parse_compound(content, place.origin, place.lines, columns(), self.catalogue)
            )
        elif "filter" in content:
            self.filters.append(self._filter(document))
        elif "action" in content:
            place.fail(("action",), "action is not supported: write each rule in full")
        else:
            self._add(self._rule(document), document)

    def _add(self, rule: Rule, document: Document) -> None:
        same_id = (known for known in self.rules.values() if known.sigma_id == rule.sigma_id != "")
        if other := self.rules.get(rule.name):
            document.place.fail(("name",), f"a rule named {rule.name} is already in {other.origin}")
        if twin := next(same_id, None):
            document.place.fail(("id",), f"the id is that of {twin.name} in {twin.origin}")
        self.rules[rule.name] = rule
        self.places[rule.name] = document

    def _filter(self, document: Document) -> _Filter:
        content, place = document.content, document.place
        model = _validated(FilterDocument, document)
        values = Values(self.catalogue, self.placeholders)
        skip = frozenset({"rules"})
        tree = read_detection(content["filter"], ("filter",), place, values, skip)
        named = model.filter.rules
        named = [named] if isinstance(named, str) else named
        every = not named or [name.lower() for name in named] == ["any"]
        return _Filter(
            model.title, None if every else frozenset(named), tree, content, values.expanded, place
        )

    def _apply(self, item: _Filter) -> None:
        chosen = [
            rule
            for rule in self.rules.values()
            if item.rules is None or item.rules & {rule.name, rule.sigma_id}
        ]
        known = {name for rule in chosen for name in (rule.name, rule.sigma_id)}
        if unknown := (item.rules or frozenset()) - known:
            item.place.fail(("filter", "rules"), f"there is no rule {min(unknown)}")
        for rule in chosen:
            tree = both(rule.tree, item.tree)
            actions = possible_actions(tree, self.catalogue)
            if not actions or (contradiction(tree) and not contradiction(rule.tree)):
                item.place.fail(("filter",), f"the filter leaves nothing of rule {rule.name}")
            content_hash = _hash([rule.content_hash, item.content, item.expanded])
            self.rules[rule.name] = replace(
                rule, tree=tree, actions=actions, content_hash=content_hash
            )

    def _rule(self, document: Document) -> Rule:
        content, place = document.content, document.place
        model = _validated(RuleDocument, document)
        alert = model.auditstream
        for number, name in enumerate(alert.group_by):
            if name not in text_columns():
                place.fail(("auditstream", "group_by", number), f"{name} is not a field of text")
        if alert.sentence is not None:
            try:
                parse_template(alert.sentence)
            except ContractError as error:
                place.fail(("auditstream", "sentence"), str(error))
        values = Values(self.catalogue, self.placeholders)
        tree = read_detection(model.detection, ("detection",), place, values, frozenset())
        condition = ("detection", "condition")
        if reason := contradiction(tree):
            place.fail(condition, f"the rule can never match: {reason}")
        actions = possible_actions(tree, self.catalogue)
        if not actions:
            place.fail(condition, "the rule can never match: no action has all that it wants")
        return Rule(
            name=model.name or _slug(model.title, place),
            sigma_id=str(model.id or ""),
            title=model.title,
            status=model.status,
            description=model.description,
            level=model.level,
            tree=tree,
            actions=actions,
            group_by=tuple(alert.group_by),
            window=timedelta(**{UNITS[alert.window[-1]]: int(alert.window[:-1])}),
            sentence=alert.sentence,
            reason=alert.reason or model.description.strip() or model.title,
            runbook=alert.runbook,
            false_positives=tuple(model.falsepositives),
            content_hash=_hash([content, values.expanded] if values.expanded else content),
            origin=place.origin,
            line=place.line(()),
            tags=tuple(model.tags),
            references=tuple(model.references),
            route=tuple(alert.route),
            alerts=not alert.part,
            cases=tuple(
                section.case(place.line(("auditstream", "cases", number)))
                for number, section in enumerate(alert.cases)
            ),
        )


def _validated(model: type[Model], document: Document) -> Model:
    try:
        return model.model_validate(document.content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        document.place.fail(first["loc"], f"{name}: {first['msg']}" if name else first["msg"])


def _slug(title: str, place: Place) -> str:
    slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:64]
    if not slug[:1].isalpha():
        place.fail(("title",), "name is missing, and the title gives none")
    return slug


def _hash(content: Any) -> str:
    canonical = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()
