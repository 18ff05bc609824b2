"""Link rules over several events to the rules they refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from auditstream.errors import RuleError
from auditstream.rules.correlation.model import (
    Absence,
    CompoundRule,
    Correlation,
    EffectiveAccess,
    FirstSeen,
    Path,
    Term,
)
from auditstream.rules.correlation.parse import fail


@dataclass(frozen=True)
class Linked:
    """Rules over several events by name, each after those it refers to; what was wrong with others.

    References are names, no longer ids.
    """

    rules: Mapping[str, CompoundRule]
    problems: tuple[RuleError, ...]

    def correlation(self, name: str) -> Correlation | None:
        """Return the correlation of a name, None if a single-event rule has it."""
        rule = self.rules.get(name)
        return rule if isinstance(rule, Correlation) else None

    def leaves(self, rule: CompoundRule) -> frozenset[str]:
        """Return the single-event rules that a rule rests on, through chains as well."""
        names: set[str] = set()
        for name in references(rule):
            inner = self.correlation(name)
            names |= self.leaves(inner) if inner else {name}
        return frozenset(names)

    def growing(self, rule: Correlation) -> bool:
        """Whether further events cannot undo a hit of the correlation or of one it rests on."""
        inner = (self.correlation(name) for name in rule.rules)
        return rule.growing and all(self.growing(other) for other in inner if other)

    def chained(self, rule: CompoundRule) -> bool:
        """Return whether the rule refers to a correlation."""
        return isinstance(rule, Correlation) and any(map(self.correlation, rule.rules))

    def muted(self) -> frozenset[str]:
        """Return the rules that raise no alerts of their own: another one speaks for them.

        Those that are but parts raise none either when there is no other one.
        """
        parts = {name for name, rule in self.rules.items() if rule.header.part}
        return frozenset(parts) | frozenset(
            name
            for rule in self.rules.values()
            if not (isinstance(rule, Correlation) and rule.generate)
            for name in references(rule)
        )


def link(rules: Sequence[CompoundRule], names: Mapping[str, str]) -> Linked:
    """Link rules over several events to each other and to single-event rules.

    `names` gives for each id and each name of a single-event rule its name. A rule that is wrong,
    or refers to such a one, is left out, and does not stop the others.
    """
    known = dict(names)
    problems: list[RuleError] = []
    by_name: dict[str, CompoundRule] = {}
    for rule in rules:
        header = rule.header
        if other := known.get(header.name) or known.get(header.sigma_id):
            problems.append(RuleError(f"{other} has the same name or id", header.origin))
            continue
        by_name[header.name] = rule
        known[header.name] = header.name
        if header.sigma_id:
            known[header.sigma_id] = header.name
    linked: dict[str, CompoundRule] = {}
    for rule in by_name.values():
        try:
            _visit(rule, by_name, known, linked, ())
        except RuleError as error:
            problems.append(error)
    return Linked(linked, tuple(problems))


def references(rule: CompoundRule) -> tuple[str, ...]:
    """Return the rules that a rule refers to."""
    if isinstance(rule, Absence):
        return tuple(dict.fromkeys(rule.after + rule.expected))
    return rule.rules


def _visit(
    rule: CompoundRule,
    by_name: Mapping[str, CompoundRule],
    known: Mapping[str, str],
    linked: dict[str, CompoundRule],
    path: tuple[str, ...],
) -> None:
    name = rule.header.name
    if name in linked:
        return
    resolved = _resolve(rule, known)
    for place, other in _places(rule, resolved):
        if other in (*path, name):
            _fail(rule, place, f"{other} refers to itself: {' > '.join((*path, name, other))}")
        if other not in by_name:
            continue
        if not isinstance(rule, Correlation) or not isinstance(by_name[other], Correlation):
            _fail(rule, place, f"{other} is not a rule over one event")
        try:
            _visit(by_name[other], by_name, known, linked, (*path, name))
        except RuleError as error:
            if " > " in error.message:
                raise
            _fail(rule, place, f"{other} is wrong: {error}")
    linked[name] = resolved


def _resolve(rule: CompoundRule, known: Mapping[str, str]) -> CompoundRule:
    def one(reference: str, place: Path) -> str:
        if reference not in known:
            _fail(rule, place, f"there is no rule {reference}")
        return known[reference]

    def all_of(references: tuple[str, ...], place: Path) -> tuple[str, ...]:
        found = tuple(one(name, (*place, number)) for number, name in enumerate(references))
        if len(set(found)) < len(found):
            twice = next(name for name in found if found.count(name) > 1)
            _fail(rule, place, f"{twice} stands here twice, by name and by id")
        return found

    def aliases(
        given: Mapping[str, Mapping[str, str]], rules: tuple[str, ...], place: Path
    ) -> dict[str, dict[str, str]]:
        result = {}
        for alias, mapping in given.items():
            fields = {one(name, (*place, alias, name)): field for name, field in mapping.items()}
            for name in (*fields, *rules):
                if name not in rules:
                    _fail(rule, (*place, alias), f"alias {alias}: {name} is not among the rules")
                if name not in fields:
                    _fail(rule, (*place, alias), f"alias {alias} has no field for {name}")
            result[alias] = fields
        return result

    match rule:
        case Correlation():
            names = all_of(rule.rules, ("correlation", "rules"))
            return replace(
                rule,
                rules=names,
                term=_renamed(rule.term, known) if rule.term else None,
                aliases=aliases(rule.aliases, names, ("correlation", "aliases")),
            )
        case Absence():
            place: Path = ("auditstream", "absence")
            after = all_of(rule.after, (*place, "after"))
            expected = all_of(rule.expected, (*place, "expected"))
            names = tuple(dict.fromkeys(after + expected))
            return replace(
                rule,
                after=after,
                expected=expected,
                aliases=aliases(rule.aliases, names, (*place, "aliases")),
            )
        case FirstSeen():
            return replace(rule, rules=all_of(rule.rules, ("auditstream", "first_seen", "rules")))
        case EffectiveAccess():
            place = ("auditstream", "effective_access", "rules")
            return replace(rule, rules=all_of(rule.rules, place))


def _renamed(term: Term, known: Mapping[str, str]) -> Term:
    terms = tuple(_renamed(part, known) for part in term.terms)
    return replace(term, rule=known.get(term.rule, term.rule), terms=terms)


def _places(given: CompoundRule, resolved: CompoundRule) -> Iterator[tuple[Path, str]]:
    if isinstance(given, Correlation):
        for number, name in enumerate(references(resolved)):
            yield ("correlation", "rules", number), name
    else:
        for name in references(resolved):
            yield ("auditstream",), name


def _fail(rule: CompoundRule, path: Path, message: str) -> NoReturn:
    fail(rule.header.origin, rule.header.line, path, message)
