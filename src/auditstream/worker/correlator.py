"""Rules over several events, asked of the table when it holds what was appended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
import structlog

from auditstream.contract.alert import Alert
from auditstream.errors import StoreError
from auditstream.pipeline.detect import MAX_EVIDENCE
from auditstream.pipeline.records import Hits
from auditstream.pipeline.sentence import neutral, shown
from auditstream.rules.correlation.engine import CorrelationEngine
from auditstream.rules.correlation.match import Match
from auditstream.rules.correlation.model import EffectiveAccess
from auditstream.rules.correlation.refusals import Refusals
from auditstream.rules.correlation.scheduled import ScheduledRules
from auditstream.rules.matcher import Matcher
from auditstream.rules.rule import RuleSet
from auditstream.rules.to_sql import compile_sql
from auditstream.store.columns import EVENT_SCHEMA
from auditstream.store.connection import Store
from auditstream.store.correlate import asker
from auditstream.worker.metrics import metrics

log = structlog.get_logger("auditstream.correlator")

_TEXTS: Final = {name: dtype for name, dtype in EVENT_SCHEMA.items() if dtype == pl.String}

HIT: Final = "hit:"
"""Begins the name of a column that tells which candidates meet a rule."""

CATCH_UP: Final = timedelta(minutes=15)
"""How far back a worker that is assigned a partition evaluates again: a crash may have come
between an append and its evaluation. The ids of the alerts are the same."""


class Correlator:
    """Evaluates rules over several events; each method blocks while the store answers.

    Rules that only others refer to, and parts of others, are not evaluated by themselves. A rule
    whose query the store refuses, because it takes too long for example, is logged, counted and
    among the `errors`, and gives no alert; ServiceUnavailableError is raised, and the call can
    be repeated. Only windows that hold what was appended are looked at, so that an old table raises
    no flood.
    """

    def __init__(self, store: Store, rules: RuleSet) -> None:
        linked = rules.correlations
        silent = linked.muted()
        predicates = {rule.name: compile_sql(rule) for rule in rules.rules}
        ask = asker(store)
        self._refusals = Refusals(_refused)
        self._headers = {name: rule.header for name, rule in linked.rules.items()}
        self._engine = CorrelationEngine(
            linked, predicates, ask, store.database, refusals=self._refusals, silent=silent
        )
        self._clock = ScheduledRules(
            linked, predicates, ask, store.database, refusals=self._refusals, silent=silent
        )
        self._candidates = [rule for rule in rules.rules if rule.name in self._engine.candidates]
        self._matcher = Matcher(self._candidates)

    @property
    def idle(self) -> bool:
        """Whether there is no rule to be evaluated after an append."""
        return not self._candidates

    @property
    def errors(self) -> dict[str, str]:
        """What is wrong with rules that were refused last, by file and line; for any thread."""
        return {
            self._headers[name].place: f"{name} is refused by ClickHouse: {reason}"
            for name, reason in self._refusals.reasons.items()
        }

    @property
    def watched(self) -> frozenset[str]:
        """The single-event rules whose hits give cause to an evaluation."""
        return self._engine.candidates

    def candidates(self, events: pl.DataFrame, hits: Hits | None = None) -> pl.DataFrame | None:
        """Return what must be known of the events that give cause to an evaluation, if any do.

        `hits` are those of the rules `watched` among the events, found here unless given. Asks
        nothing of the store; for one thread at a time.
        """
        if hits is None:
            found = self._matcher.match(events)
        else:
            names = [rule.name for rule in self._candidates]
            found = {number: hits[name] for number, name in enumerate(names) if name in hits}
        if not found:
            return None
        told = events.select(self._engine.columns)
        met = np.zeros((events.height, len(self._candidates)), np.bool_)
        for number, rows in found.items():
            rule = self._candidates[number]
            familiar = self._engine.familiar(rule.name, told[rows.tolist()])
            met[rows if familiar is None else rows[~familiar.to_numpy()], number] = True
        some = np.flatnonzero(met.any(axis=1))
        if not some.size:
            return None
        flags = {
            f"{HIT}{rule.name}": met[some, number] for number, rule in enumerate(self._candidates)
        }
        return told[some.tolist()].hstack(pl.DataFrame(flags).get_columns())

    def joined(self, candidates: Sequence[pl.DataFrame]) -> pl.DataFrame:
        """Return candidates as one; those found under rules in force before keep what is asked."""
        wanted = {name: EVENT_SCHEMA[name] for name in self._engine.columns}
        wanted |= {f"{HIT}{rule.name}": pl.Boolean() for rule in self._candidates}
        rows = pl.concat(candidates, how="diagonal")
        return rows.select(
            (pl.col(name).fill_null(value=False) if name.startswith(HIT) else pl.col(name))
            if name in rows.columns
            else pl.lit(False if name.startswith(HIT) else None, dtype).alias(name)
            for name, dtype in wanted.items()
        )

    def evaluate(self, candidates: pl.DataFrame, now: datetime) -> tuple[Alert, ...]:
        """Return the alerts for which stored events, see `candidates`, give cause."""
        hits = {
            rule.name: candidates[f"{HIT}{rule.name}"]
            for rule in self._candidates
            if candidates[f"{HIT}{rule.name}"].any()
        }
        return _alerts(self._engine.evaluate(candidates, hits), now)

    def catch_up(self, stream: str, partition: int, now: datetime) -> tuple[Alert, ...]:
        """Return the alerts of what was appended to a partition last, by whichever worker."""
        return _alerts(self._engine.catch_up(stream, partition, CATCH_UP), now)

    def due(self, complete: datetime, now: datetime) -> tuple[Alert, ...]:
        """Return the alerts of the clock; the table is complete up to `complete`."""
        return _alerts(self._clock.due(complete), now)


def _alerts(matches: Sequence[Match], now: datetime) -> tuple[Alert, ...]:
    return tuple(alert_of(match, now) for match in matches)


def _refused(name: str, error: StoreError) -> None:
    metrics.correlations_failed.inc()
    log.error("rule_refused", rule=name, error=str(error))


def alert_of(match: Match, now: datetime) -> Alert:
    """Return the alert of a match that was found at `now`."""
    header = match.rule.header
    first = pl.DataFrame([dict(match.first)], schema_overrides=_TEXTS)
    values = {name: text[0] or "" for name, text in shown(first).to_dict().items()}
    told = {name: _safe(values[name]) for name in ("actor", "entity", "member", "group")}
    return Alert(
        alert_id=match.alert_id,
        rule_id=header.name,
        rule_title=header.title,
        rule_hash=header.content_hash,
        level=header.level,
        sentence=_safe(match.sentence),
        reason=header.reason,
        runbook=header.runbook,
        group_key=match.group_key,
        workspace_id=match.first["workspace_id"],
        workspace_username=match.first["workspace_username"],
        actor=told["actor"],
        entity=told["entity"],
        action=match.first["action"],
        occurred_at=match.first["occurred_at"],
        detected_at=now,
        evidence=match.evidence[:MAX_EVIDENCE],
        event_count=match.events if isinstance(match.rule, EffectiveAccess) else match.count,
        whom=told["member"] or told["group"],
        late=match.late,
        window_seconds=int(header.window.total_seconds()),
        first_event=json.dumps(dict(match.first), default=str, separators=(",", ":")),
    )


def _safe(text: str) -> str:
    return str(neutral(pl.Series([text]))[0])
