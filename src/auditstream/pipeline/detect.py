"""Detect: events for which a rule fires become alerts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl

from auditstream.contract.alert import Alert, Evidence, alert_id
from auditstream.pipeline.sentence import fill, neutral, shown, tell
from auditstream.rules.rule import Rule
from auditstream.rules.to_polars import compile_polars

MAX_EVIDENCE: Final = 100
"""Events that an alert names; it may stand for more."""


ALERTED: Final = (
    "event_id",
    "kafka_topic",
    "kafka_partition",
    "kafka_offset",
    "occurred_at",
    "action",
    "workspace_id",
    "workspace_username",
    "shown_actor",
    "shown_entity",
    "told",
)


class Detector:
    """Rules, compiled.

    Raises:
        ContractError: a rule's sentence is wrong.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        rules = [rule for rule in rules if rule.alerts]
        self._rules = {rule.name: rule for rule in rules}
        self._fires = [compile_polars(rule).alias(rule.name) for rule in rules]
        self._sentences = {
            rule.name: fill(rule.sentence) if rule.sentence else pl.col("sentence")
            for rule in rules
        }

    def detect(self, events: pl.DataFrame, now: datetime) -> tuple[Alert, ...]:
        """Return the alerts of enriched events: one for each rule, group and window.

        Ids depend on nothing but rule, group and window: other batches of the same events give
        alerts with the same ids.
        """
        fires = events.select(self._fires)
        return tuple(
            alert
            for name, rule in self._rules.items()
            if fires[name].any()
            for alert in self._alerts(rule, events.filter(fires[name]), now)
        )

    def _alerts(self, rule: Rule, hits: pl.DataFrame, now: datetime) -> Iterator[Alert]:
        values = shown(hits).with_columns(self._sentences[rule.name].alias("sentence"))
        hits = hits.with_columns(
            shown_actor=neutral(values["actor"]),
            shown_entity=neutral(values["entity"]),
            told=tell(hits.select("outcome", "outcome_reason", values["sentence"])),
        ).sort("occurred_at", "kafka_partition", "kafka_offset")
        hits = hits.select({*ALERTED, *rule.group_by})
        groups: dict[str, list[dict[str, Any]]] = {}
        for hit in hits.iter_rows(named=True):
            number = alert_id(rule.name, _group_key(rule, hit), hit["occurred_at"], rule.window)
            groups.setdefault(number, []).append(hit)
        for number, group in groups.items():
            yield _alert(number, rule, group, now)


def _group_key(rule: Rule, hit: dict[str, Any]) -> str:
    return json.dumps({name: hit[name] for name in rule.group_by}, separators=(",", ":"))


def _alert(number: str, rule: Rule, hits: list[dict[str, Any]], now: datetime) -> Alert:
    first = hits[0]
    return Alert(
        alert_id=number,
        rule_id=rule.name,
        rule_title=rule.title,
        rule_hash=rule.content_hash,
        level=rule.level,
        sentence=first["told"],
        reason=rule.reason,
        runbook=rule.runbook,
        group_key=_group_key(rule, first),
        workspace_id=first["workspace_id"],
        workspace_username=first["workspace_username"],
        actor=first["shown_actor"],
        entity=first["shown_entity"],
        action=first["action"],
        occurred_at=first["occurred_at"],
        detected_at=now,
        evidence=tuple(
            Evidence(
                hit["event_id"], hit["kafka_topic"], hit["kafka_partition"], hit["kafka_offset"]
            )
            for hit in hits[:MAX_EVIDENCE]
        ),
        event_count=len(hits),
    )
