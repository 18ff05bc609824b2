"""Which changes of a rule its cases do not notice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl

from auditstream.contract.catalogue import Catalogue
from auditstream.rules.mutate import mutants
from auditstream.rules.rule import Rule
from auditstream.rules.to_polars import compile_polars
from auditstream.worker.cases import case_events


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed rule; `noticed` tells whether a case of the rule then comes out otherwise."""

    rule: str
    origin: str
    line: int
    change: str
    noticed: bool


def mutate(rules: Sequence[Rule], catalogue: Catalogue) -> Iterator[Mutant]:
    """Yield the mutants of rules of single events that have cases.

    A mutant counts as noticed only if a case is a hit for one of rule and mutant and not for the
    other. So one that means the same as its rule is never noticed.

    Raises:
        ValueError: an event of a case is wrong.
    """
    for rule in rules:
        if not rule.cases:
            continue
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
