"""Read rules over several events from the documents of rule files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Final, NoReturn

from pydantic import ValidationError

from auditstream.contract.catalogue import PLACEHOLDERS, Catalogue, role_ranks, shipped_catalogue
from auditstream.contract.template import parse_template
from auditstream.errors import ContractError, RuleError
from auditstream.rules.correlation.condition import (
    MAX_RULES,
    OPERATORS,
    check_bounds,
    check_term,
    parse_term,
)
from auditstream.rules.correlation.document import (
    AbsenceSection,
    CompoundDocument,
    ConditionSection,
    CorrelationSection,
    EffectiveAccessSection,
    FirstSeenSection,
    SilenceSection,
)
from auditstream.rules.correlation.model import (
    Absence,
    Bound,
    CompoundRule,
    Correlation,
    EffectiveAccess,
    FirstSeen,
    Header,
    Path,
    Term,
)
from auditstream.rules.fields import metadata_key

EXTENSIONS: Final = ("first_seen", "absence", "silence", "effective_access")
"""The extensions, by their names in the section `auditstream` of a rule file."""

SENTENCE_NAMES: Final = PLACEHOLDERS | {"count", "timespan"}
"""What the sentence of a rule over several events may name."""

DEFAULT_WINDOW: Final = timedelta(minutes=60)

_CHOICES: Final = {"ConditionSection", "constrained-str"}
"""What pydantic adds to the place of an error to tell which of two forms it means."""

_NO_METRICS: Final = {"value_sum", "value_avg", "value_percentile", "value_median"}


def is_compound(content: object) -> bool:
    """Return whether a document of a rule file is a rule over several events."""
    if not isinstance(content, Mapping):
        return False
    own = content.get("auditstream")
    return "correlation" in content or (
        isinstance(own, Mapping) and any(name in own for name in EXTENSIONS)
    )


def parse_compound(
    content: Any,
    origin: str,
    lines: Mapping[Path, int],
    fields: Collection[str],
    catalogue: Catalogue | None = None,
) -> CompoundRule:
    """Read one document; the rules it refers to are not looked at yet, see `link`.

    `origin` names the file, `lines` the line of each part of the document by the keys that lead
    to it, `fields` the columns of an event that hold one value; `metadata.<key>` is a field as
    well. Roles are those of the catalogue,
    the shipped one unless given.

    Raises:
        RuleError: the document is wrong; the message names file and line.
    """
    reader = _Reader(origin, lines, fields, catalogue or shipped_catalogue())
    return reader.read(content)


def fail(origin: str, lines: Mapping[Path, int], path: Path, message: str) -> NoReturn:
    """Raise a RuleError that names the line of the nearest known part of a document."""
    raise RuleError(message, origin, line_of(lines, path))


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Return the line of the nearest known part of a document."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Reader:
    def __init__(
        self,
        origin: str,
        lines: Mapping[Path, int],
        fields: Collection[str],
        catalogue: Catalogue,
    ) -> None:
        self._origin = origin
        self._lines = lines
        self._fields = fields
        self._catalogue = catalogue

    def read(self, content: Any) -> CompoundRule:
        section = content.get("correlation") if isinstance(content, Mapping) else None
        if isinstance(section, Mapping) and section.get("type") in _NO_METRICS:
            self._fail(
                ("correlation", "type"), f"{section['type']} needs numbers, events have none"
            )
        try:
            document = CompoundDocument.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            path = tuple(part for part in first["loc"] if part not in _CHOICES)
            name = ".".join(str(part) for part in path)
            self._fail(path, f"{name}: {_plain(first['msg'])}" if name else _plain(first["msg"]))
        given = [name for name in EXTENSIONS if getattr(document.auditstream, name) is not None]
        if document.correlation is not None:
            given.insert(0, "correlation")
        if len(given) != 1:
            self._fail((), f"one of correlation, {', '.join(EXTENSIONS)} is wanted")
        own = document.auditstream
        if document.correlation is not None:
            return self._correlation(document, document.correlation, content)
        if own.first_seen is not None:
            return self._first_seen(document, own.first_seen, content)
        if own.absence is not None:
            return self._absence(document, own.absence, content)
        if own.silence is not None:
            return self._silence(document, own.silence, content)
        assert own.effective_access is not None  # noqa: S101 - one of them was given
        return self._access(document, own.effective_access, content)

    def _header(
        self, document: CompoundDocument, content: Any, window: timedelta = DEFAULT_WINDOW
    ) -> Header:
        own = document.auditstream
        name = document.name or re.sub(r"[^a-z0-9]+", "_", document.title.lower()).strip("_")[:64]
        if not name:
            self._fail(("title",), "a name is wanted: the title gives none")
        sentence = own.sentence or document.title.translate(str.maketrans("[]{}", "()()"))
        try:
            parse_template(sentence, SENTENCE_NAMES)
        except ContractError as error:
            self._fail(("auditstream", "sentence"), str(error))
        canonical = json.dumps(content, sort_keys=True, default=str)
        return Header(
            name=name,
            sigma_id=str(document.id) if document.id else "",
            title=document.title,
            status=document.status,
            description=document.description,
            level=document.level,
            sentence=sentence,
            reason=own.reason,
            runbook=own.runbook,
            false_positives=tuple(document.falsepositives),
            tags=tuple(document.tags),
            references=tuple(document.references),
            route=tuple(own.route),
            cases=tuple(
                case.case(line_of(self._lines, ("auditstream", "cases", number)))
                for number, case in enumerate(own.cases)
            ),
            window=own.window or window,
            content_hash=hashlib.sha256(canonical.encode()).hexdigest(),
            origin=self._origin,
            part=own.part,
            line=self._lines,
        )

    def _correlation(
        self, document: CompoundDocument, section: CorrelationSection, content: Any
    ) -> Correlation:
        place: Path = ("correlation",)
        term = None
        if isinstance(section.condition, str):
            term = self._term(section, section.condition)
        rules = section.rules or (list(dict.fromkeys(term.rules())) if term else None)
        if not rules:
            self._fail(place, "correlation.rules: Field required")
        counted = section.condition if isinstance(section.condition, ConditionSection) else None
        temporal = section.type in {"temporal", "temporal_ordered"}
        if not temporal and counted is None:
            self._fail(place, f"correlation.condition: {section.type} needs a comparison")
        if temporal and len(rules) > MAX_RULES:
            self._fail(
                (*place, "rules"), f"{section.type} takes {MAX_RULES} rules at most; chain them"
            )
        if temporal and len(rules) < 2:
            self._fail((*place, "rules"), f"{section.type} needs two rules or more")
        bounds = self._bounds(section, counted, len(rules))
        if term is not None and term == _all_of(term, rules):
            term = None
        if term is not None:
            bounds = ()
            if section.type == "temporal_ordered":
                self._fail(
                    (*place, "condition"),
                    "temporal_ordered takes a condition over rules only if it wants all of them",
                )
        wanted = tuple(counted.field or ()) if counted else ()
        self._known((*place, "group-by"), section.group_by, section.aliases)
        self._known((*place, "condition", "field"), wanted, section.aliases)
        self._check_aliases((*place, "aliases"), section.aliases)
        return Correlation(
            header=self._header(document, content),
            kind=section.type,
            rules=tuple(rules),
            group_by=tuple(section.group_by),
            timespan=section.timespan,
            bounds=bounds,
            fields=wanted,
            term=term,
            aliases=section.aliases,
            generate=section.generate or document.generate,
        )

    def _bounds(
        self, section: CorrelationSection, counted: ConditionSection | None, rules: int
    ) -> tuple[Bound, ...]:
        place: Path = ("correlation", "condition")
        temporal = section.type in {"temporal", "temporal_ordered"}
        if counted is None:
            return (Bound("gte", rules),)
        if (counted.field is not None) != (section.type == "value_count"):
            wants = "needs a field" if section.type == "value_count" else "counts no field"
            self._fail(place, f"correlation.condition: {section.type} {wants}")
        numbers = {name: getattr(counted, name) for name in OPERATORS}
        bounds = tuple(Bound(op, number) for op, number in numbers.items() if number is not None)
        if not bounds:
            self._fail(place, f"correlation.condition: one of {', '.join(OPERATORS)} is wanted")
        try:
            check_bounds(bounds, rules if temporal else None)
        except ValueError as error:
            self._fail(place, f"correlation.condition: {error}")
        if section.type == "temporal_ordered" and not _wants_all(bounds, rules):
            self._fail(place, "correlation.condition: an order needs all of the rules")
        return bounds

    def _term(self, section: CorrelationSection, text: str) -> Term:
        place: Path = ("correlation", "condition")
        if section.type not in {"temporal", "temporal_ordered"}:
            self._fail(place, f"correlation.condition: {section.type} needs a comparison")
        try:
            term = parse_term(text)
            named, listed = set(term.rules()), set(section.rules or term.rules())
            if named == listed:
                check_term(term)
        except ValueError as error:
            self._fail(place, f"correlation.condition: {error}")
        if named != listed:
            stray = min(named ^ listed)
            self._fail(place, f"correlation.condition: {stray} is not in both condition and rules")
        return term

    def _first_seen(
        self, document: CompoundDocument, section: FirstSeenSection, content: Any
    ) -> FirstSeen:
        place: Path = ("auditstream", "first_seen")
        self._known((*place, "values"), section.values)
        self._known((*place, "group-by"), section.group_by)
        for number, name in enumerate(section.values):
            if name in section.group_by:
                self._fail((*place, "values", number), f"{name} is what the events are grouped by")
        return FirstSeen(
            header=self._header(document, content, section.history),
            rules=tuple(section.rules),
            values=tuple(section.values),
            group_by=tuple(section.group_by),
            history=section.history,
            learning=section.learning or section.history,
            new_groups=section.new_groups,
        )

    def _absence(
        self, document: CompoundDocument, section: AbsenceSection, content: Any
    ) -> Absence:
        place: Path = ("auditstream", "absence")
        self._known((*place, "group-by"), section.group_by, section.aliases)
        self._check_aliases((*place, "aliases"), section.aliases)
        return Absence(
            header=self._header(document, content),
            after=tuple(section.after),
            expected=tuple(section.expected),
            group_by=tuple(section.group_by),
            timespan=section.timespan,
            aliases=section.aliases,
        )

    def _silence(
        self, document: CompoundDocument, section: SilenceSection, content: Any
    ) -> Absence:
        self._known(("auditstream", "silence", "group-by"), section.group_by)
        return Absence(
            header=self._header(document, content),
            after=tuple(section.rules),
            expected=tuple(section.rules),
            group_by=tuple(section.group_by),
            timespan=section.timespan,
        )

    def _access(
        self, document: CompoundDocument, section: EffectiveAccessSection, content: Any
    ) -> EffectiveAccess:
        place: Path = ("auditstream", "effective_access")
        ranks = set()
        for number, kind in enumerate(section.entity_type):
            actions = [a for a in self._catalogue.actions.values() if a.entity_type == kind]
            if not actions:
                self._fail((*place, "entity-type", number), f"{kind} is no type of entity")
            ranks |= {
                role_ranks(action.roles)[section.role]
                for action in actions
                if section.role in action.roles
            }
        if len(ranks) != 1:
            self._fail((*place, "role"), f"{section.role} is no role of these types of entity")
        if section.members > 1 and section.through != "group":
            self._fail((*place, "members"), "members are those of a group: through: group")
        return EffectiveAccess(
            header=self._header(document, content),
            rules=tuple(section.rules),
            entity_types=tuple(section.entity_type),
            role=section.role,
            min_rank=ranks.pop(),
            through=section.through,
            members=section.members,
        )

    def _known(
        self, place: Path, names: Collection[str], aliases: Collection[str] = frozenset()
    ) -> None:
        for number, name in enumerate(names):
            if not self._is_field(name) and name not in aliases:
                self._fail((*place, number), f"{name} is no field of an event, and no alias")

    def _check_aliases(self, place: Path, aliases: Mapping[str, Mapping[str, str]]) -> None:
        for alias, mapping in aliases.items():
            for rule, name in mapping.items():
                if not self._is_field(name):
                    self._fail((*place, alias, rule), f"{name} is no field of an event")

    def _is_field(self, name: str) -> bool:
        return name in self._fields or metadata_key(name) is not None

    def _fail(self, path: Path, message: str) -> NoReturn:
        fail(self._origin, self._lines, path, message)


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")


def _all_of(term: Term, rules: Collection[str]) -> Term:
    """Return the condition that wants all rules, written like `term` if that does."""
    names = [part.rule for part in term.terms]
    if term.operator == "and" and sorted(names) == sorted(rules):
        return term
    return Term("and", terms=tuple(Term("rule", name) for name in rules))


def _wants_all(bounds: tuple[Bound, ...], rules: int) -> bool:
    return bounds in {
        (Bound("gte", rules),),
        (Bound("eq", rules),),
        (Bound("gt", rules - 1),),
    }
