"""Tell a story on a running stack and count what became of it."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Final

from rich.console import Console

from auditstream.cli.demonstration.counts import (
    Counts,
    TableCounts,
    TopicCounts,
    count_alert_records,
    count_lines,
    count_rejected_records,
    count_tables,
    count_topic,
)
from auditstream.cli.demonstration.telling import follow, producing
from auditstream.cli.stack import Stack
from auditstream.store.connection import Store, connect
from auditstream.story.story import Story

LEAST_SECONDS: Final = 120.0
EVENTS_A_SECOND: Final = 500
QUIET_SECONDS: Final = 2.0
NOTIFIED_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.1


def tell(stack: Stack, story: Story, console: Console) -> Counts:
    """Publish a story, wait until all of it is stored or rejected, and count everything.

    Shows its progress on a terminal. Blocks for two minutes, or 2 ms an event, at most.

    Raises:
        StoryNotStoredError: it took longer.
        ChildEndedError: a process has ended too early.
        ServiceUnavailableError: the broker or ClickHouse has gone.
    """
    topic: list[TopicCounts] = []

    def count_due() -> int:
        topic.append(count_topic(stack.settings))
        return topic[-1].records - topic[-1].repeats

    seconds = max(LEAST_SECONDS, story.events / EVENTS_A_SECOND)
    with closing(connect(stack.settings)) as store, producing(stack, story) as producers:
        follow(stack, store, producers, console, story.events, count_due, seconds)
        table, records, lines = _count_alerts(stack, store)
        return Counts(
            published=producers.published(),
            topic=topic[-1],
            table=table,
            rejected_records=count_rejected_records(stack.settings),
            alert_records=records,
            alert_lines=lines,
        )


def _count_alerts(stack: Stack, store: Store) -> tuple[TableCounts, int, int]:
    """Count the tables, and the alerts on their topic and of the notifier, once no more come.

    Alerts over several events follow the events they are of, and the notifier may be a moment
    behind. Blocks for 15 s at most.
    """
    deadline = time.monotonic() + NOTIFIED_SECONDS
    before = -1
    while True:
        table = count_tables(store)
        records = count_alert_records(stack.settings)
        lines = count_lines(stack.notifier.out.read_text(encoding="utf-8").splitlines())
        same = table.alerts == records == lines
        if (same and before == records) or time.monotonic() > deadline:
            return table, records, lines
        before = records
        time.sleep(QUIET_SECONDS if same else POLL_SECONDS)
