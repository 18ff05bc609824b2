"""Tell a story on a running stack and count what became of it."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Final

from rich.console import Console

from auditstream.cli.demonstration.counts import (
    Counts,
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
QUIET_SECONDS: Final = 1.5
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
        _await_alerts(stack, store)
        table = count_tables(store)
        return Counts(
            published=producers.published(),
            topic=topic[-1],
            table=table,
            rejected_records=count_rejected_records(stack.settings),
            alert_records=count_alert_records(stack.settings),
            alert_lines=_alert_lines(stack, table.alerts),
        )


def _await_alerts(stack: Stack, store: Store) -> None:
    """Wait until no further alert comes: those over several events follow the events they are of.

    Blocks for 15 s at most.
    """
    deadline = time.monotonic() + NOTIFIED_SECONDS
    before = (-1, -2)
    while time.monotonic() < deadline:
        now = (count_tables(store).alerts, count_alert_records(stack.settings))
        if now == before and now[0] == now[1]:
            return
        before = now
        time.sleep(QUIET_SECONDS)


def _alert_lines(stack: Stack, expected: int) -> int:
    """Count the lines of the notifier, which may be a moment behind."""
    deadline = time.monotonic() + NOTIFIED_SECONDS
    while True:
        lines = count_lines(stack.notifier.out.read_text(encoding="utf-8").splitlines())
        if lines >= expected or time.monotonic() > deadline:
            return lines
        time.sleep(POLL_SECONDS)
