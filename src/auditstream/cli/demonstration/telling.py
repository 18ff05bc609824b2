"""Publish a story with several producer processes and follow it into the table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from auditstream.cli.child import Child
from auditstream.cli.demonstration.counts import settled
from auditstream.cli.stack import Stack, ended
from auditstream.errors import AuditStreamError
from auditstream.store.connection import Store
from auditstream.story.story import IMPORTER, SERVICES, Story

POLL_SECONDS: Final = 0.25


class StoryNotStoredError(AuditStreamError):
    """Not all that was published was stored or rejected in time."""


@dataclass(frozen=True)
class Producers:
    """The producer processes of a story, one a service."""

    children: tuple[Child, ...]

    def published(self) -> int:
        """Return how many records they say the broker has acknowledged so far."""
        return sum(_last_count(child) for child in self.children)

    def done(self) -> bool:
        """Return whether all have ended well. Raises ChildEndedError when one has failed."""
        codes = [child.exit_code for child in self.children]
        for child, code in zip(self.children, codes, strict=True):
            if code:
                raise ended(child)
        return all(code == 0 for code in codes)


@contextmanager
def producing(stack: Stack, story: Story) -> Iterator[Producers]:
    """Run the producers of a story within the `with` block."""
    numbers = ["--seed", str(story.seed), "--events", str(story.events)]
    moment = ["--now", story.now.isoformat()]
    with ExitStack() as parts:
        children = [
            Child(
                service,
                ["auditstream.story.producer", service, *numbers, *moment],
                stack.environment | {"AUDITSTREAM_SPOOL_DIR": str(stack.logs / "spool" / service)},
                stack.logs,
            )
            for service in (*SERVICES, IMPORTER)
        ]
        yield Producers(tuple(parts.enter_context(child) for child in children))


def follow(
    stack: Stack,
    store: Store,
    producers: Producers,
    console: Console,
    total: int,
    count_due: Callable[[], int],
    seconds: float,
) -> None:
    """Wait until the producers are done and as many records as then are due were settled.

    Shows on a terminal how far it is, nothing in a pipe. Blocks for about `seconds` at most.

    Raises:
        StoryNotStoredError: it took longer; the message has the counts and the worker's log.
        ChildEndedError: a process has ended too early.
    """
    deadline = time.monotonic() + seconds
    due: int | None = None
    with _progress(console) as progress:
        published = progress.add_task("published", total=total)
        stored = progress.add_task("stored", total=total)
        while True:
            stack.check()
            if due is None and producers.done():
                due = count_due()
            done = settled(store)
            progress.update(published, completed=producers.published())
            progress.update(stored, completed=done, total=due or total)
            if due is not None and done >= due:
                return
            if time.monotonic() > deadline:
                raise StoryNotStoredError(
                    f"after {seconds:.0f} s {producers.published()} records were published and "
                    f"{done} settled{'' if due is None else f' of {due}'}; the worker's log "
                    f"{stack.worker.log} ends with:\n{stack.worker.tail()}"
                )
            time.sleep(POLL_SECONDS)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("  {task.description:<10}"),
        BarColumn(bar_width=40, complete_style="cyan", finished_style="cyan"),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _last_count(child: Child) -> int:
    lines = child.out.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    last: dict[str, Any] = json.loads(whole[-1]) if whole else {}
    return int(last.get("published", 0))
