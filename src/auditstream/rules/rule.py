"""A detection rule as plain data, and rules read together."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from auditstream.contract.catalogue import Severity
from auditstream.rules.case import Case, techniques
from auditstream.rules.correlation.link import Linked
from auditstream.rules.tree import Tree


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: it fires for an event for which `tree` holds.

    `name` identifies it in alerts, `sigma_id` elsewhere ("" without one). Hits that agree in the
    fields `group_by` within one `window`, counted over `occurred_at`, are one alert; a window of
    zero has no end. `sentence` is a template with the catalogue's placeholders; None: the event's
    own sentence. `actions` are those for which it may fire. A rule that does not `alerts` is there
    only for correlations. `route` names destinations in place of those of the level.
    `content_hash` changes with what the rule says: its file, its filters, its placeholders.
    """

    name: str
    sigma_id: str
    title: str
    status: str
    description: str
    level: Severity
    tree: Tree
    actions: frozenset[str]
    group_by: tuple[str, ...]
    window: timedelta
    sentence: str | None
    reason: str
    runbook: str | None
    false_positives: tuple[str, ...]
    content_hash: str
    origin: str
    line: int = 1
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    route: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()
    alerts: bool = True

    @property
    def attack(self) -> tuple[str, ...]:
        """ATT&CK techniques among the tags, for example T1098.003."""
        return techniques(self.tags)


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """What is wrong with a rule that was left out; `line` is 1 where it is not known."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules read together: of single events by name, of several events, and what was left out."""

    rules: tuple[Rule, ...]
    correlations: Linked = field(default_factory=lambda: Linked({}, ()))
    problems: tuple[RuleProblem, ...] = ()
