"""Which built-in rules are in force: those of a level and above."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from auditstream.contract.catalogue import SEVERITIES, Severity
from auditstream.rules.correlation.link import Linked, references
from auditstream.rules.files import builtin_directory
from auditstream.rules.rule import RuleSet


def from_level(rules: RuleSet, least: Severity) -> RuleSet:
    """Return the rules without the alerts of built-in rules below a level.

    Rules of other files stay as they are, and so does what they, and the rules that are kept, rest
    on.
    """
    builtin = Path(str(builtin_directory()))
    floor = SEVERITIES.index(least)

    def in_force(level: Severity, origin: str) -> bool:
        return SEVERITIES.index(level) >= floor or not Path(origin).is_relative_to(builtin)

    linked = rules.correlations
    kept = {
        name: rule
        for name, rule in linked.rules.items()
        if in_force(rule.header.level, rule.header.origin)
    }
    wanted = {
        other for rule in kept.values() for other in _all_references(rule.header.name, linked)
    }
    correlations = {
        name: rule for name, rule in linked.rules.items() if name in kept or name in wanted
    }
    return replace(
        rules,
        rules=tuple(
            replace(rule, alerts=rule.alerts and in_force(rule.level, rule.origin))
            for rule in rules.rules
        ),
        correlations=replace(linked, rules=correlations),
    )


def _all_references(name: str, linked: Linked) -> set[str]:
    found: set[str] = set()
    rule = linked.rules.get(name)
    for other in references(rule) if rule else ():
        found |= {other} | _all_references(other, linked)
    return found
