"""What rules of either kind have in common for people, and what is missing in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from auditstream.contract.catalogue import Severity
from auditstream.rules.case import Case
from auditstream.rules.correlation.model import (
    Absence,
    CompoundRule,
    Correlation,
    EffectiveAccess,
    FirstSeen,
)
from auditstream.rules.files import runbook_page
from auditstream.rules.rule import RuleProblem, RuleSet


class Described(NamedTuple):
    """A rule as a list shows it; `kind` is "event", a type of correlation, or an extension.

    `actions` are those of which an event may give cause to it.
    """

    name: str
    title: str
    level: Severity
    kind: str
    description: str
    actions: frozenset[str]
    tags: tuple[str, ...]
    attack: tuple[str, ...]
    runbook: str | None
    false_positives: tuple[str, ...]
    cases: tuple[Case, ...]
    alerts: bool
    file: str
    line: int


def described(rules: RuleSet) -> list[Described]:
    """Return all rules, by name."""
    muted = rules.correlations.muted()
    singles = (
        Described(
            rule.name,
            rule.title,
            rule.level,
            "event",
            rule.description,
            rule.actions,
            rule.tags,
            rule.attack,
            rule.runbook,
            rule.false_positives,
            rule.cases,
            rule.alerts,
            rule.origin,
            rule.line,
        )
        for rule in rules.rules
    )
    compounds = (
        Described(
            rule.header.name,
            rule.header.title,
            rule.header.level,
            _kind(rule),
            rule.header.description,
            _actions(rule, rules),
            rule.header.tags,
            rule.header.attack,
            rule.header.runbook,
            rule.header.false_positives,
            rule.header.cases,
            rule.header.name not in muted,
            rule.header.origin,
            rule.header.line.get((), 1),
        )
        for rule in rules.correlations.rules.values()
    )
    return sorted((*singles, *compounds), key=lambda rule: rule.name)


def advice(rules: RuleSet) -> list[RuleProblem]:
    """Return what rules that raise alerts lack for whoever gets these at night."""
    return [
        RuleProblem(rule.file, rule.line, f"{rule.name}: {message}")
        for rule in described(rules)
        if rule.alerts
        for message in _lacks(rule)
    ]


def _actions(rule: CompoundRule, rules: RuleSet) -> frozenset[str]:
    leaves = rules.correlations.leaves(rule)
    return frozenset[str]().union(*(one.actions for one in rules.rules if one.name in leaves))


def _lacks(rule: Described) -> Iterator[str]:
    if not rule.description.strip():
        yield "it has no description: say what happened in the words of whoever is on call"
    if not rule.runbook:
        yield "it names no runbook"
    elif not re.match(r"https?://", rule.runbook) and runbook_page(rule.runbook) is None:
        yield f"its runbook {rule.runbook} is neither a web address nor a shipped page"
    if not rule.false_positives:
        yield "it names no false positives"
    if not rule.attack:
        yield "it has no ATT&CK technique among its tags"
    if not any(case.hit for case in rule.cases):
        yield "it has no case that is a hit"
    if all(case.hit for case in rule.cases):
        yield "it has no case that is not a hit"


def _kind(rule: CompoundRule) -> str:
    match rule:
        case Correlation():
            return rule.kind
        case FirstSeen():
            return "first_seen"
        case Absence():
            return "absence"
        case EffectiveAccess():
            return "effective_access"
