"""Rules over several events, as plain data, and what they mean.

*Order.* Events are ordered by `occurred_at`; those of one instant by their place in Kafka, which
for one producer is the order in which it published them.

*Group.* Events correlate when they agree in the fields of `group_by`, compared exactly. An event in
which one of these is absent, null or empty, correlates with nothing. A field is a column, or
`metadata.<key>`: the first value of that key.

*Window.* A window ends at an event and begins `timespan` earlier; both bounds belong to it, and all
events of the last instant. A rule fires at an event, its *hit*, when the condition holds for the
window that ends there. So a rule whose condition more events can only bring nearer, a *growing*
one, has the same hits whatever the order and the batches in which events arrived. Any other is
judged by the clock, once the window has had time to settle.

*Identity.* Hits of one rule and group are one alert within each period of `window` over the time of
the hit, counted from 1970-01-01 (see `auditstream.contract.alert.alert_id`).

*Chain.* A correlation refers to another one as if its hits were events: each stands for the event
at which it fired. Where events are counted, the alerts of the other rule are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Literal, TypeAlias

from auditstream.contract.catalogue import Severity
from auditstream.rules.case import Case, techniques

Operator: TypeAlias = Literal["gt", "gte", "lt", "lte", "eq", "neq"]
Kind: TypeAlias = Literal["event_count", "value_count", "temporal", "temporal_ordered"]
Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Bound:
    """One comparison of a count with a number."""

    operator: Operator
    number: int

    @property
    def growing(self) -> bool:
        """Whether it stays true when the count grows."""
        return self.operator in {"gt", "gte"}


@dataclass(frozen=True)
class Term:
    """A condition over which rules have an event in the window: a name, or `not`, `and`, `or`."""

    operator: Literal["rule", "not", "and", "or"]
    rule: str = ""
    terms: tuple[Term, ...] = ()

    @property
    def growing(self) -> bool:
        """Whether it stays true when more rules have an event."""
        return self.operator != "not" and all(term.growing for term in self.terms)

    def rules(self) -> Iterator[str]:
        """Yield the rules it names, as often as it does."""
        if self.rule:
            yield self.rule
        for term in self.terms:
            yield from term.rules()


@dataclass(frozen=True)
class Header:
    """What a rule over several events has in common with every other rule.

    `name` identifies it, in alerts and in the rules that refer to it; `window` is the period
    within which its hits are one alert. `route` names destinations in place of those of the level;
    `cases` are the tests beside the rule. A `part` of other rules raises no alerts of its own.
    `line` tells the line of a part of the file, for errors.
    """

    name: str
    sigma_id: str
    title: str
    status: str
    description: str
    level: Severity
    sentence: str
    reason: str
    runbook: str | None
    false_positives: tuple[str, ...]
    tags: tuple[str, ...]
    references: tuple[str, ...]
    route: tuple[str, ...]
    cases: tuple[Case, ...]
    window: timedelta
    content_hash: str
    origin: str
    part: bool = False
    line: Mapping[Path, int] = field(default_factory=dict, compare=False, repr=False)

    @property
    def attack(self) -> tuple[str, ...]:
        """ATT&CK techniques among the tags, for example T1098.003."""
        return techniques(self.tags)

    @property
    def place(self) -> str:
        """File and line of the rule."""
        return f"{self.origin}:{self.line.get((), 1)}"


@dataclass(frozen=True)
class Correlation:
    """A correlation of Sigma's specification 2.1.

    `rules` names single-event rules and correlations. `aliases` gives for the name of an alias the
    field that it means in the events of each rule. A count is compared with all of `bounds`: of
    events; of the distinct values of `fields`, taken together, where none is absent; or, for the
    temporal kinds, of the rules that have an event of their own in the window. With `term`, a
    temporal correlation asks which rules have an event there instead. `generate` tells that the
    rules of `rules` raise their own alerts as well.
    """

    header: Header
    kind: Kind
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    timespan: timedelta
    bounds: tuple[Bound, ...]
    fields: tuple[str, ...] = ()
    term: Term | None = None
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    generate: bool = False

    @cached_property
    def growing(self) -> bool:
        """Whether further events cannot undo a hit; chained rules are not looked at."""
        return all(bound.growing for bound in self.bounds) and (
            self.term is None or self.term.growing
        )

    def column(self, name: str, rule: str) -> str:
        """Return the field of the events of `rule` that a name of group_by or fields means."""
        return self.aliases.get(name, {}).get(rule, name)

    def bit(self, place: int) -> int:
        """Return the bit of the mask that stands for the rule at a place of `rules`.

        Where it does not matter of which rule an event is, all have the same one.
        """
        return place if self.kind in {"temporal", "temporal_ordered"} else 0

    @cached_property
    def least(self) -> int:
        """The least number of events of its group that a window with a hit holds.

        1 where that is not known: with a condition over rules, or an upper bound alone.
        """
        lower = (
            bound.number + (bound.operator == "gt")
            for bound in self.bounds
            if bound.operator in {"gt", "gte", "eq"}
        )
        return 1 if self.term is not None else max((1, *lower))


@dataclass(frozen=True)
class FirstSeen:
    """A value that was not there before: our extension `first_seen`.

    Fires at an event of `rules` whose `values`, taken together, no event of these rules in the
    same group had in `history` before it. It stays silent

    - while the oldest stored event of the workspace is younger than `learning`: nothing is known
      of what is usual there;
    - for the first event of a group within `history`, unless `new_groups`: all of its values would
      be new.

    The group of its alerts is made of `group_by` and `values`.
    """

    header: Header
    rules: tuple[str, ...]
    values: tuple[str, ...]
    group_by: tuple[str, ...]
    history: timedelta
    learning: timedelta
    new_groups: bool


@dataclass(frozen=True)
class Absence:
    """Something that does not happen: our extensions `absence` and `silence`.

    Fires for an event of `after` that no event of `expected` in the same group follows, in order,
    within `timespan`. With the same rules in both, it is the dead-man's switch: nothing of this
    kind any more. Empty `after` and `expected` mean every event. The hit is the moment at which the
    time is over.
    """

    header: Header
    after: tuple[str, ...]
    expected: tuple[str, ...]
    group_by: tuple[str, ...]
    timespan: timedelta
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def column(self, name: str, rule: str) -> str:
        """Return the field of the events of `rule` that a name of group_by means."""
        return self.aliases.get(name, {}).get(rule, name)


@dataclass(frozen=True)
class EffectiveAccess:
    """Access that somebody comes to have by an event: our extension `effective_access`.

    Fires at an event of `rules` through which a member has, from then on, `role` or a higher one
    on a thing of `entity_types`, and had not before by any way. `through` tells the ways that
    count: `group` those through a group, `direct` those without one, `any` all. `min_rank` is the
    rank of `role` on the scale of these things.

    The group of its alerts is workspace, member, entity and role.

    With `members` above 1 it is about groups of at least so many members: it fires at an event of
    `rules` that gives one of them the role, whatever its members had before. The group of its
    alerts is workspace, group, entity and role; the members at that moment are counted.
    """

    header: Header
    rules: tuple[str, ...]
    entity_types: tuple[str, ...]
    role: str
    min_rank: int
    through: Literal["group", "direct", "any"]
    members: int = 1


CompoundRule: TypeAlias = Correlation | FirstSeen | Absence | EffectiveAccess
