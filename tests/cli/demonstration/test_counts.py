from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from auditstream.alerts.records import Record, send_records
from auditstream.alerts.topics import ensure_topics
from auditstream.cli.demonstration.counts import Counts, TableCounts, TopicCounts, count_topic
from auditstream.settings import Settings
from auditstream.story import Story
from auditstream.story.malformed import encode

AGREEING = Counts(
    published=100,
    topic=TopicCounts(records=100, repeats=5),
    table=TableCounts(events=92, event_ids=92, rejected=3, alerts=6, actions={}),
    rejected_records=3,
    alert_records=6,
    alert_lines=6,
)
TABLE = AGREEING.table


def test_counts_that_agree_have_no_contradictions() -> None:
    """Published is stored plus rejected plus repeats, wherever it is counted."""
    assert AGREEING.contradictions() == []


@pytest.mark.parametrize(
    "counts",
    [
        replace(AGREEING, published=99),
        replace(AGREEING, topic=TopicCounts(records=101, repeats=5)),
        replace(AGREEING, topic=TopicCounts(records=100, repeats=4)),
        replace(AGREEING, table=replace(TABLE, events=91)),
        replace(AGREEING, table=replace(TABLE, event_ids=91)),
        replace(AGREEING, table=replace(TABLE, rejected=4)),
        replace(AGREEING, rejected_records=2),
        replace(AGREEING, alert_records=7),
        replace(AGREEING, alert_lines=5),
    ],
)
def test_each_count_is_held_against_another(counts: Counts) -> None:
    """One count that is off by one is a contradiction that names it."""
    assert counts.contradictions() != []


def test_topic_is_counted_by_its_own_records(services: Settings) -> None:
    """Repeats are found by id and payload; conflicts and damaged records are no repeats."""
    settings = services.model_copy(update={"events_topic": "counted"})
    ensure_topics(settings, 3)
    story = Story(3, 1_000, datetime.now(UTC))
    records = [
        Record(entry.datum["workspace_id"].encode(), encode({**entry.datum, "source": source}))
        for number, entry in enumerate(story.entries())
        for source in [{"service": "test", "epoch": 1, "sequence": number}]
    ]
    records += [Record(record.key, record.value) for record in story.malformed()]
    send_records(settings, "counted", records)
    found = count_topic(settings)
    assert (found.records, found.repeats) == (1_000, story.expected().duplicates)
