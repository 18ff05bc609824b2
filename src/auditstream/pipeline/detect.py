"""Detect: events for which a rule fires become alerts."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from auditstream.contract.alert import Alert, Evidence, alert_id
from auditstream.pipeline.records import Hits
from auditstream.pipeline.sentence import fill, neutral, shown, tell
from auditstream.rules.matcher import Matcher
from auditstream.rules.rule import Rule
from auditstream.store.columns import EVENT_SCHEMA

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
    "shown_whom",
    "is_late",
)


class Detector:
    """Rules, compiled: those that alert, and those `watched`, whose hits others ask for.

    Raises:
        ContractError: a rule's sentence is wrong.
    """

    def __init__(self, rules: Sequence[Rule], watched: Collection[str] = ()) -> None:
        self._rules = [rule for rule in rules if rule.alerts or rule.name in watched]
        self._matcher = Matcher(self._rules)
        self._sentences = [
            fill(rule.sentence) if rule.sentence else pl.col("sentence") for rule in self._rules
        ]

    def match(self, events: pl.DataFrame) -> Hits:
        """Return the rows of enriched events that meet rules, by the rule's name."""
        found = self._matcher.match(events)
        return {self._rules[number].name: rows for number, rows in found.items()}

    def detect(
        self, events: pl.DataFrame, now: datetime, met: Hits | None = None
    ) -> tuple[Alert, ...]:
        """Return the alerts of enriched events: one for each rule, group and window.

        Ids depend on nothing but rule, group and window: other batches of the same events give
        alerts with the same ids. `met` is what `match` returns of them, if it was called before.
        """
        hit = self.match(events) if met is None else met
        alerting = [(number, rule) for number, rule in enumerate(self._rules) if rule.alerts]
        found = {number: hit[rule.name] for number, rule in alerting if rule.name in hit}
        if not found:
            return ()
        rows = pl.concat(pl.Series("row", part) for part in found.values()).unique()
        hits = events.with_row_index("row").filter(pl.col("row").is_in(rows.implode()))
        hits = hits.sort("occurred_at", "kafka_partition", "kafka_offset")
        values = shown(hits)
        hits = hits.with_columns(
            shown_actor=neutral(values["actor"]),
            shown_entity=neutral(values["entity"]),
            shown_whom=neutral(
                values.select(pl.coalesce("member", "group", pl.lit(""))).to_series()
            ),
        )
        values = values.with_columns(hits["outcome"], hits["outcome_reason"], hits["sentence"])
        wanted = {name for number in found for name in self._rules[number].group_by}
        told = hits.select({*ALERTED, *wanted}).to_dicts()
        places = np.empty(events.height, np.int64)
        places[hits["row"].to_numpy()] = np.arange(hits.height)
        groups = [
            group
            for number, part in found.items()
            for group in self._groups(number, sorted(places[part].tolist()), told)
        ]
        # Taken together: taking rows out of a wide frame costs milliseconds, however few.
        firsts = [group.places[0] for group in groups]
        sentences = self._told(groups, values[firsts])
        first = hits.select(list(EVENT_SCHEMA))[firsts].iter_rows(named=True)
        return tuple(
            _alert(group, [told[place] for place in group.places], sentence, event, now)
            for group, sentence, event in zip(groups, sentences, first, strict=True)
        )

    def _groups(
        self, number: int, places: Sequence[int], hits: Sequence[dict[str, Any]]
    ) -> Iterable[_Group]:
        """Return what becomes an alert each; `places` are a rule's hits, earliest first."""
        rule = self._rules[number]
        groups: dict[str, _Group] = {}
        for place in places:
            key = _group_key(rule, hits[place])
            alert = alert_id(rule.name, key, hits[place]["occurred_at"], rule.window)
            groups.setdefault(alert, _Group(number, rule, alert, key, [])).places.append(place)
        return groups.values()

    def _told(self, groups: Sequence[_Group], values: pl.DataFrame) -> list[str]:
        """Return sentences of groups that stand rule by rule; `values` are of their first hits."""
        sentences: list[str] = []
        for number, alike in groupby(groups, key=lambda group: group.number):
            first = values.slice(len(sentences), len(list(alike)))
            sentence = self._sentences[number].alias("sentence")
            if self._rules[number].sentence:
                first = first.select("outcome", "outcome_reason", sentence)
            else:
                first = first.select(
                    sentence, outcome=pl.lit("success"), outcome_reason=pl.lit(None)
                )
            sentences += tell(first).to_list()
        return sentences


class _Group(NamedTuple):
    """Hits of a rule that are one alert: their places among all hits, earliest first."""

    number: int
    rule: Rule
    alert_id: str
    key: str
    places: list[int]


def _group_key(rule: Rule, hit: dict[str, Any]) -> str:
    return json.dumps({name: hit[name] for name in rule.group_by}, separators=(",", ":"))


def _alert(
    group: _Group, hits: list[dict[str, Any]], sentence: str, event: dict[str, Any], now: datetime
) -> Alert:
    rule, first = group.rule, hits[0]
    return Alert(
        alert_id=group.alert_id,
        rule_id=rule.name,
        rule_title=rule.title,
        rule_hash=rule.content_hash,
        level=rule.level,
        sentence=sentence,
        reason=rule.reason,
        runbook=rule.runbook,
        group_key=group.key,
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
        whom=first["shown_whom"],
        late=any(hit["is_late"] for hit in hits),
        window_seconds=int(rule.window.total_seconds()),
        first_event=json.dumps(event, default=str, separators=(",", ":")),
    )
