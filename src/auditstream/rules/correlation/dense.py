"""Where in a long history a correlation may fire: where events of one group lie close together.

A window with a hit holds so many events of its group, see `Correlation.least`. Which groups have
that many within one timespan their times tell, without a window for each event. Windows then look
only at the pieces of time around these: what is left out lies in no window that holds enough, so
that the hits are the same.
"""
# ruff: noqa: S608 - names are those of columns, values are literals

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from auditstream.rules.correlation.link import Linked
from auditstream.rules.correlation.model import CompoundRule, Correlation
from auditstream.rules.correlation.occurrences import (
    TIME,
    Source,
    conditions,
    home,
    key,
    mask,
    scan,
    sources,
    together,
)
from auditstream.rules.correlation.scope import Dense, Scope, length
from auditstream.rules.correlation.search import Ask

MAX_KEYS: Final = 500_000
"""Groups in pieces of time that a query names; where more are dense, it looks at all events."""

MAX_PLACES: Final = 10_000
"""Workspaces and pieces of time that it names besides; ClickHouse takes 50 µs for each."""

SHORTEST_PIECE: Final = 60_000_000
"""Microseconds. Shorter pieces are more to name, and hardly fewer rows to read."""


MASK_BITS: Final = 8
"""Rules that are told apart; an event is its time with that many bits after it."""

_MASK: Final = (1 << MASK_BITS) - 1

SHARED: Final = "g, v, t, o, new, mask"
"""Columns of occurrences by which windows of correlations that refer to none are told."""


@dataclass(frozen=True)
class Version:
    """A rule in one version, and the part of the table in which its matches are looked for.

    `predicates` are never-null conditions over `e` by the name of the single-event rule.
    """

    rule: CompoundRule
    linked: Linked
    predicates: Mapping[str, str]
    scope: Scope


def narrowed(ask: Ask, versions: Sequence[Version]) -> list[Version]:
    """Return the versions, in their order, without events that cannot matter in their scopes.

    Asks one query for each set of events that is counted: versions that count the same share it.
    Blocks, and raises what `ask` raises.
    """
    wanted = [
        {rule.header.name: _Probe.of(rule, version) for rule in _counting(version, version.rule)}
        for version in versions
    ]
    probes: dict[tuple[Source, ...], _Probe] = {}
    for probe in (probe for some in wanted for probe in some.values()):
        known = probes.get(probe.sources)
        probes[probe.sources] = probe.with_that_of(known) if known else probe
    dense = {counted: probe.dense(ask) for counted, probe in probes.items()}
    # The widest times for all, so that the same events are the same text, see `shared`.
    times = [span for version in versions for span in version.scope.read]
    read = ((min(first for first, _ in times), max(last for _, last in times)),) if times else ()
    return [
        replace(version, scope=replace(version.scope, read=read, dense=_known(some, dense)))
        for version, some in zip(versions, wanted, strict=True)
    ]


def shared(versions: Sequence[Version]) -> list[str]:
    """Return the occurrences, as SQL, that the queries of all versions look at.

    Of these, matches need no more than the columns `SHARED`.
    """
    looked_at = []
    for version in versions:
        rule = version.rule
        dense = version.scope.dense.get(rule.header.name)
        if not isinstance(rule, Correlation) or dense is None:
            return []
        read = sources(rule, version.predicates)
        looked_at.append([scan(source, version.scope, dense) for source in read])
    return [sql for sql in looked_at[0] if all(sql in others for others in looked_at)]


def _known(
    probes: Mapping[str, _Probe], dense: Mapping[tuple[Source, ...], Dense | None]
) -> dict[str, Dense]:
    found = {name: dense[probe.sources] for name, probe in probes.items()}
    return {name: where for name, where in found.items() if where is not None}


@dataclass(frozen=True)
class _Probe:
    """Looks for `least` events of a group within `span` microseconds.

    With `several`, for two events that follow each other, and are not of one and the same rule: a
    window that holds events of several rules holds such a pair.
    """

    sources: tuple[Source, ...]
    scope: Scope
    span: int
    least: int
    several: bool

    @staticmethod
    def of(rule: Correlation, version: Version) -> _Probe:
        counted = tuple(sources(rule, version.predicates))
        several = rule.bit(1) > 0 and len(rule.rules) <= MASK_BITS
        return _Probe(counted, version.scope, length(rule.timespan), rule.least, several)

    def with_that_of(self, other: _Probe) -> _Probe:
        """Return one that finds what either finds."""
        scope = replace(self.scope, read=(*self.scope.read, *other.scope.read))
        return replace(
            self,
            scope=scope,
            span=max(self.span, other.span),
            least=min(self.least, other.least),
            several=self.several and other.several,
        )

    def dense(self, ask: Ask) -> Dense | None:
        """Return where events of a group are dense; None where that is too much to name."""
        width = max(self.span, SHORTEST_PIECE)
        found = ask(f"{self._sql(width)} LIMIT {MAX_KEYS + 1}")
        if found.height > MAX_KEYS:
            return None
        places = found.select("home", "piece").unique(maintain_order=True)
        named = tuple(places.rows()) if places.height <= MAX_PLACES else None
        return Dense(width, tuple(found["key"].unique(maintain_order=True)), named)

    def _sql(self, width: int) -> str:
        rows = together([self._events(source) for source in self.sources])
        run = 2 if self.several else self.least
        last = f"arraySlice(times, {run})"
        first = f"arraySlice(times, 1, length(times) - {run - 1})"
        near = f"{_time('last')} - {_time('first')} <= {self.span}"
        moments = [f"{_time('last')} - {self.span}", _time("last")]
        if self.several:
            near += f" AND bitCount(bitAnd(bitOr(last, first), {_MASK})) > 1"
            # The hit is at one of the two, or after them.
            moments.append(f"{_time('last')} + {self.span}")
        pieces = ", ".join(f"intDiv({moment}, {width})" for moment in moments)
        dense = f"arrayFilter((last, first) -> {near}, {last}, {first})"
        return (
            "SELECT DISTINCT toString(home) AS home, "
            f"arrayJoin(arrayFlatten(arrayMap(last -> [{pieces}], {dense}))) AS piece, "
            "cityHash64(of, piece) AS key "
            f"FROM (SELECT home, of, arraySort(groupArray(event)) AS times FROM ({rows}) "
            f"GROUP BY home, of HAVING count() >= {self.least})"
        )

    def _events(self, source: Source) -> str:
        event = f"{TIME} * {_MASK + 1}" + (f" + {mask(source)}" if self.several else "")
        return (
            f"SELECT {home(source.group)} AS home, {key(source.group)} AS of, "
            f"toInt64({event}) AS event FROM {self.scope.database}.events AS e "
            f"WHERE {' AND '.join(conditions(source, self.scope))}"
        )


def _time(event: str) -> str:
    return f"intDiv({event} - bitAnd({event}, {_MASK}), {_MASK + 1})"


def _counting(version: Version, rule: CompoundRule) -> Iterator[Correlation]:
    """Yield the correlations that a rule rests on, or is, that need several events of a group."""
    if not isinstance(rule, Correlation):
        return
    if not version.linked.chained(rule):
        if rule.least > 1:
            yield rule
        return
    for name in rule.rules:
        inner = version.linked.correlation(name)
        if inner is not None:
            yield from _counting(version, inner)
