"""Evaluate rules over several events after an append."""
# ruff: noqa: S608 - names are those of columns, values are literals

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from operator import and_
from typing import Final

import polars as pl

from auditstream.errors import StoreError
from auditstream.rules.correlation.compile import Compiler
from auditstream.rules.correlation.familiar import Familiar
from auditstream.rules.correlation.link import Linked, references
from auditstream.rules.correlation.match import Match
from auditstream.rules.correlation.model import (
    Absence,
    CompoundRule,
    Correlation,
    EffectiveAccess,
    FirstSeen,
)
from auditstream.rules.correlation.occurrences import read_column, text_expr
from auditstream.rules.correlation.plausible import plausible
from auditstream.rules.correlation.refusals import Refusals
from auditstream.rules.correlation.scope import (
    EPOCH,
    Scope,
    length,
    microseconds,
    stretches,
)
from auditstream.rules.correlation.search import Ask, Question, search
from auditstream.store.sql import literal

PLACE: Final = (
    "stream",
    "kafka_partition",
    "kafka_offset",
    "occurred_at",
    "workspace_id",
    "entity_type",
    "entity_id",
    "group_id",
)
"""Columns of an event that tell where it is, when it was, and which group it is about."""

MAX_GROUPS: Final = 5_000
"""Groups that a query names; of more, it looks at all there are."""

CAUGHT_UP_AT_ONCE: Final = 100_000
"""Events that are looked at together when a partition is taken over, the newest ones first."""

MAX_CAUGHT_UP: Final = 1_000_000
"""Events of a partition, the newest, that are looked at again: as many as a worker that lags lets
wait before it evaluates them."""


class CorrelationEngine:
    """Rules over several events, evaluated for the windows that hold appended events.

    `predicates` are never-null conditions over `e` for `database.events`, by the name of the
    single-event rule. Events that occurred before `since` are left out, and so are hits before
    it: enabling a rule on an old table raises no alert for what was there.

    Rules of `silent` are looked at only for those that refer to them. A rule that the store refuses
    has no matches in that evaluation, and stands in `refusals`; the others are not concerned.

    Nothing is kept between calls but which values are known, see `Familiar`. An evaluation that is
    repeated, after a crash for example, finds alerts of the same ids. Of two workers that append at
    the same time, the one that evaluates last sees the events of both.
    """

    def __init__(
        self,
        linked: Linked,
        predicates: Mapping[str, str],
        ask: Ask,
        database: str,
        since: datetime = EPOCH,
        refusals: Refusals | None = None,
        silent: frozenset[str] = frozenset(),
    ) -> None:
        self._compiler = Compiler(linked, predicates)
        self._linked = linked
        self._predicates = predicates
        self._ask = ask
        self._database = database
        self._since = since
        self._refusals = refusals or Refusals()
        self._familiar = Familiar()
        self._rules = {
            name: rule
            for name, rule in linked.rules.items()
            if name not in silent and not waits(rule, linked)
        }

    @property
    def candidates(self) -> frozenset[str]:
        """The single-event rules whose hits call for an evaluation."""
        return frozenset[str]().union(*(self._linked.leaves(r) for r in self._rules.values()))

    def familiar(self, name: str, rows: pl.DataFrame) -> pl.Series | None:
        """Return which hits of a single-event rule need no evaluation, None if all may need it.

        Those are hits that only rules `first_seen` ask for, and that are known to be no firsts.
        Callable while another thread evaluates.
        """
        rules = [r for r in self._rules.values() if name in self._linked.leaves(r)]
        known = [self._familiar.familiar(r, rows) for r in rules if isinstance(r, FirstSeen)]
        if len(known) < len(rules):
            return None
        return reduce(and_, known)

    @property
    def columns(self) -> list[str]:
        """The columns of appended events that an evaluation looks at."""
        wanted = {*PLACE}
        for rule in self._rules.values():
            match rule:
                case Correlation():
                    wanted |= {
                        read_column(rule.column(field, name))
                        for field in rule.group_by
                        for name in rule.rules
                    }
                case FirstSeen():
                    wanted |= set(map(read_column, (*rule.group_by, *rule.values)))
                case _:
                    pass
        return sorted(wanted)

    def evaluate(self, appended: pl.DataFrame, hits: Mapping[str, pl.Series]) -> list[Match]:
        """Return the matches of rules of which an appended event meets one.

        `appended` are rows as they were stored; `hits` tells for each single-event rule, by name,
        which of them meet it, as a column of booleans in the order of the rows. Rules that are not
        in `hits` have none.

        Sends one query, none if no rule is concerned; another one if any may match, and two more
        for each 500 matches; as many for each rule when these are refused. Blocks until they are
        answered, and raises what `ask` raises besides StoreError.
        """
        questions = []
        for rule in self._rules.values():
            question = self._question(rule, appended, hits)
            if question is not None:
                questions.append(question)
        matches = self._refusals.matches(self._search, questions)
        for rule in self._rules.values():
            if isinstance(rule, FirstSeen):
                self._familiar.learn(rule, self._rows(rule, appended, hits))
        return matches

    def catch_up(self, stream: str, partition: int, back: timedelta) -> list[Match]:
        """Return the matches of the events of a partition that were stored last.

        These are those that were ingested at most `back` before its newest: a worker that starts
        with a partition evaluates what a crash may have kept another one from evaluating.
        """
        place = f"e.stream = {literal(stream)} AND e.kafka_partition = {partition}"
        names = sorted(self.candidates)
        if not names:
            return []
        try:
            return list(self._last(place, names, back).values())
        except StoreError:
            matches: dict[str, Match] = {}
            for name in names:
                try:
                    matches |= self._last(place, [name], back)
                except StoreError as error:
                    self._refuse(name, error)
            return list(matches.values())

    def _last(self, place: str, names: Sequence[str], back: timedelta) -> dict[str, Match]:
        """Evaluate the events stored last that meet one of some single-event rules.

        Returns the matches by the ids of their alerts; of several, that of the older events.
        """
        events = f"{self._database}.events AS e"
        met = [f"({self._predicates[name]}) AS hit_{number}" for number, name in enumerate(names)]
        met_any = " OR ".join(f"hit_{number}" for number in range(len(names)))
        matches: dict[str, Match] = {}
        older = ""
        for _ in range(0, MAX_CAUGHT_UP, CAUGHT_UP_AT_ONCE):
            found = self._ask(
                f"SELECT {', '.join(f'e.{name}' for name in self.columns)}, {', '.join(met)} "
                f"FROM {events} WHERE {place}{older} AND e.ingested_at >= ("
                f"SELECT max(ingested_at) FROM {events} WHERE {place}) - toIntervalMicrosecond("
                f"{length(back)}) AND ({met_any}) "
                f"ORDER BY e.kafka_offset DESC LIMIT {CAUGHT_UP_AT_ONCE}"
            )
            if found.is_empty():
                break
            hits = {name: found[f"hit_{n}"].cast(pl.Boolean) for n, name in enumerate(names)}
            matches |= {match.alert_id: match for match in self.evaluate(found, hits)}
            if found.height < CAUGHT_UP_AT_ONCE:
                break
            older = f" AND e.kafka_offset < {found['kafka_offset'][-1]}"
        return matches

    def _refuse(self, name: str, error: StoreError) -> None:
        for rule in self._rules.values():
            if name in self._linked.leaves(rule):
                self._refusals.note(rule.header.name, error)

    def _search(self, questions: Sequence[Question]) -> list[Match]:
        left = plausible(self._linked, self._predicates, self._ask, questions)
        return search(self._compiler, self._ask, left)

    def _question(
        self, rule: CompoundRule, appended: pl.DataFrame, hits: Mapping[str, pl.Series]
    ) -> Question | None:
        rows = self._rows(rule, appended, hits)
        if isinstance(rule, FirstSeen):
            rows = self._familiar.unknown(rule, rows)
        if rows.is_empty():
            return None
        moments = rows["occurred_at"].dt.epoch("us").to_numpy()
        workspaces = tuple(rows["workspace_id"].cast(pl.String).unique().sort())
        reach = length(self._compiler.reach(rule))
        ahead = reach if isinstance(rule, Correlation) else 0
        return Question(
            rule,
            Scope(
                database=self._database,
                hits=(
                    max(int(moments.min()), microseconds(self._since)),
                    int(moments.max()) + ahead,
                ),
                read=stretches(moments, reach, ahead),
                groups=self._groups(rule, appended, hits, rows),
                workspaces=workspaces if _within_workspaces(rule, self._linked) else None,
                homes=workspaces,
                new=_new(rows),
                touched=_groups_of(rows) if isinstance(rule, EffectiveAccess) else None,
            ),
        )

    def _rows(
        self, rule: CompoundRule, appended: pl.DataFrame, hits: Mapping[str, pl.Series]
    ) -> pl.DataFrame:
        """Return the appended events that meet a rule on which this one rests."""
        met = [hits[name] for name in sorted(self._linked.leaves(rule)) if name in hits]
        if not met:
            return appended.clear()
        columns = {*PLACE}
        if isinstance(rule, FirstSeen):
            columns |= set(map(read_column, (*rule.group_by, *rule.values)))
        wanted = pl.any_horizontal(met) & (pl.col("occurred_at") >= self._since)
        return appended.lazy().filter(wanted).select(sorted(columns)).collect()

    def _groups(
        self,
        rule: CompoundRule,
        appended: pl.DataFrame,
        hits: Mapping[str, pl.Series],
        rows: pl.DataFrame,
    ) -> tuple[tuple[str, ...], ...] | None:
        if isinstance(rule, EffectiveAccess) or self._compiler.chained(rule) or not rule.group_by:
            return None
        if isinstance(rule, FirstSeen):
            seen = rows.select(map(text_expr, rule.group_by)).unique()
            if seen.height > MAX_GROUPS:
                return None
            return tuple(sorted(row for row in seen.rows() if all(row)))
        groups: set[tuple[str, ...]] = set()
        for name in references(rule):
            if name in hits:
                columns = [
                    rule.column(field, name) if isinstance(rule, Correlation) else field
                    for field in rule.group_by
                ]
                met = hits[name] & (pl.col("occurred_at") >= self._since)
                named = appended.lazy().filter(met).select(map(text_expr, dict.fromkeys(columns)))
                values = named.unique().collect()
                if values.height > MAX_GROUPS:
                    return None
                groups |= {
                    tuple(row[column] for column in columns)
                    for row in values.to_dicts()
                    if all(row.values())
                }
        return tuple(sorted(groups))


def _groups_of(rows: pl.DataFrame) -> dict[str, int]:
    """Return the groups that events are about, with the time of the newest event of each."""
    own = pl.when(pl.col("entity_type") == "workspace_group").then("entity_id")
    at = pl.col("occurred_at").dt.epoch("us")
    about = [rows.select(group=group.cast(pl.String), at=at) for group in (own, pl.col("group_id"))]
    newest = pl.concat(about).drop_nulls().group_by("group").agg(pl.col("at").max()).sort("group")
    return dict(newest.rows())


def waits(rule: CompoundRule, linked: Linked) -> bool:
    """Return whether a rule is judged by the clock, not after an append."""
    return isinstance(rule, Absence) or (isinstance(rule, Correlation) and not linked.growing(rule))


def _within_workspaces(rule: CompoundRule, linked: Linked) -> bool:
    """Return whether events of different workspaces cannot correlate."""
    if isinstance(rule, EffectiveAccess):
        return True
    inner = (linked.correlation(name) for name in references(rule))
    return (
        "workspace_id" in rule.group_by
        and not (isinstance(rule, Correlation) and "workspace_id" in rule.aliases)
        and all(_within_workspaces(other, linked) for other in inner if other)
    )


def _new(rows: pl.DataFrame) -> str:
    """Return the predicate that tells the appended events from those before them."""
    ranges = rows.group_by("stream", "kafka_partition").agg(
        first=pl.col("kafka_offset").min(), last=pl.col("kafka_offset").max()
    )
    return " OR ".join(
        f"(e.stream = {literal(row['stream'])} AND e.kafka_partition = {row['kafka_partition']} "
        f"AND e.kafka_offset BETWEEN {row['first']} AND {row['last']})"
        for row in ranges.sort("stream", "kafka_partition").to_dicts()
    )
