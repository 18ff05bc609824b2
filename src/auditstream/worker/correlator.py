"""Rules over several events, asked of the table when it holds what was appended."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
import structlog

from auditstream.contract.alert import Alert
from auditstream.errors import ServiceUnavailableError, StoreError
from auditstream.pipeline.detect import MAX_EVIDENCE
from auditstream.pipeline.sentence import neutral, shown
from auditstream.rules.correlation.engine import CorrelationEngine
from auditstream.rules.correlation.match import Match
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

CATCH_UP: Final = timedelta(minutes=15)
"""How far back a worker that is assigned a partition evaluates again: a crash may have come
between an append and its evaluation. The ids of the alerts are the same."""


class Correlator:
    """Evaluates rules over several events; each method blocks while the store answers.

    A query that the store refuses, one that takes too long for example, is logged and counted and
    gives no alert; ServiceUnavailableError is raised, and the call can be repeated. Only windows
    that hold what was appended are looked at, so that an old table raises no flood.
    """

    def __init__(self, store: Store, rules: RuleSet) -> None:
        self._store = store
        self._rules = _Compiled(store, rules)

    def exchange(self, rules: RuleSet) -> None:
        """Evaluate other rules, from the next append on; callable from any thread."""
        self._rules = _Compiled(self._store, rules)

    @property
    def idle(self) -> bool:
        """Whether there is no rule to be evaluated after an append."""
        return not self._rules.candidates

    def after_append(self, events: pl.DataFrame, now: datetime) -> tuple[Alert, ...]:
        """Return the alerts for which appended events give cause."""
        rules = self._rules
        hits = rules.hits(events)
        if not hits:
            return ()
        return _alerts(rules, lambda: rules.engine.evaluate(events, hits), now)

    def catch_up(self, stream: str, partition: int, now: datetime) -> tuple[Alert, ...]:
        """Return the alerts of what was appended to a partition last, by whichever worker."""
        rules = self._rules
        return _alerts(rules, lambda: rules.engine.catch_up(stream, partition, CATCH_UP), now)

    def due(self, complete: datetime, now: datetime) -> tuple[Alert, ...]:
        """Return the alerts of the clock; the table is complete up to `complete`."""
        rules = self._rules
        return _alerts(rules, lambda: rules.clock.due(complete), now)


class _Compiled:
    """Rules read together, ready to be evaluated; never changed."""

    def __init__(self, store: Store, rules: RuleSet) -> None:
        linked = rules.correlations
        predicates = {rule.name: compile_sql(rule) for rule in rules.rules}
        ask = asker(store)
        self.muted = linked.muted()
        self.engine = CorrelationEngine(linked, predicates, ask, store.database)
        self.clock = ScheduledRules(linked, predicates, ask, store.database)
        self.candidates = [rule for rule in rules.rules if rule.name in self.engine.candidates]
        self._matcher = Matcher(self.candidates)
        self._matching = threading.Lock()

    def hits(self, events: pl.DataFrame) -> dict[str, pl.Series]:
        """Return which events are hits, for each rule that has any, by name."""
        with self._matching:
            found = self._matcher.match(events)
        hits = {}
        for number, rows in found.items():
            met = np.zeros(events.height, np.bool_)
            met[rows] = True
            hits[self.candidates[number].name] = pl.Series(met)
        return hits


def _alerts(rules: _Compiled, find: Callable[[], list[Match]], now: datetime) -> tuple[Alert, ...]:
    try:
        matches = find()
    except ServiceUnavailableError:
        raise
    except StoreError as error:
        metrics.correlations_failed.inc()
        log.exception("correlation_failed", error=str(error))
        return ()
    return tuple(
        _alert(match, now) for match in matches if match.rule.header.name not in rules.muted
    )


def _alert(match: Match, now: datetime) -> Alert:
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
        event_count=match.count,
        whom=told["member"] or told["group"],
        late=match.late,
        window_seconds=int(header.window.total_seconds()),
        first_event=json.dumps(dict(match.first), default=str, separators=(",", ":")),
    )


def _safe(text: str) -> str:
    return str(neutral(pl.Series([text]))[0])
