"""Which changes of a rule its cases do not notice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from auditstream.contract.catalogue import Catalogue
from auditstream.rules.correlation.link import Linked
from auditstream.rules.correlation.model import CompoundRule
from auditstream.rules.correlation.mutate import mutants as compound_mutants
from auditstream.rules.mutate import mutants
from auditstream.rules.rule import Rule, RuleSet
from auditstream.rules.to_polars import compile_polars
from auditstream.store.connection import Store
from auditstream.worker.cases import case_events, fired, needed


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed rule; `noticed` tells whether a case of the rule then comes out otherwise."""

    rule: str
    origin: str
    line: int
    change: str
    noticed: bool


def mutate(
    rules: RuleSet, catalogue: Catalogue, store: Store | None, names: frozenset[str]
) -> Iterator[Mutant]:
    """Yield the mutants of the rules `names` that have cases.

    A mutant counts as noticed only if a case is a hit for one of rule and mutant and not for the
    other. So one that means the same as its rule is never noticed. `store` is one whose events may
    be thrown away; without it rules over several events are left out. Blocks.

    Raises:
        ValueError: an event of a case is wrong.
        ServiceUnavailableError, StoreError: see `Store`.
    """
    for rule in rules.rules:
        if rule.name in names and rule.cases:
            yield from _single(rule, catalogue)
    for name, compound in rules.correlations.rules.items():
        if store is not None and name in names and compound.header.cases:
            yield from _compound(compound, rules, catalogue, store)


def _single(rule: Rule, catalogue: Catalogue) -> Iterator[Mutant]:
    frames = [case_events(case, catalogue) for case in rule.cases]
    events = pl.concat(
        frame.with_columns(case=pl.lit(number)) for number, frame in enumerate(frames)
    )
    expected = _hits(rule, events)
    for change, tree in mutants(rule.tree):
        found = _hits(replace(rule, tree=tree), events)
        yield Mutant(rule.name, rule.origin, rule.line, change, found != expected)


def _hits(rule: Rule, events: pl.DataFrame) -> frozenset[int]:
    return frozenset(events.filter(compile_polars(rule))["case"].to_list())


def _compound(
    rule: CompoundRule, rules: RuleSet, catalogue: Catalogue, store: Store
) -> Iterator[Mutant]:
    """Evaluate a rule and its mutants together: each case asks the table once for all of them."""
    header = rule.header
    changes: dict[str, str] = {}
    changed: dict[str, CompoundRule] = {}
    for number, (change, mutant) in enumerate(compound_mutants(rule)):
        name = f"{header.name}~{number}"
        changes[name] = change
        changed[name] = replace(mutant, header=replace(header, name=name))
    together = RuleSet(rules.rules, Linked(needed(rule, rules.correlations) | changed, ()))
    noticed: set[str] = set()
    for case in header.cases:
        alerts = fired(together, case_events(case, catalogue), store)
        hits = {alert.rule_id for alert in alerts}
        noticed |= {name for name in changes if (name in hits) != (header.name in hits)}
    for name, change in changes.items():
        yield Mutant(header.name, header.origin, header.line.get((), 1), change, name in noticed)
