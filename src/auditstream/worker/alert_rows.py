"""Alerts become rows of the table, one write at a time: each costs an fsync and a turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from auditstream.contract.alert import Alert

Write = Callable[[tuple[Alert, ...]], Awaitable[None]]

PAUSE_SECONDS: Final = 0.2
LAGGING_PAUSE_SECONDS: Final = 1.0
"""Between two writes. Their readers have the alerts from the topic already, and the events that
wait for the rows wait for an append anyway."""


class AlertRows:
    """Takes what comes during a write, and shortly after it, together into the next one.

    `write` stores alerts, or raises what every caller whose alerts are among them then gets;
    `pause` tells how many seconds to wait between two writes.
    """

    def __init__(self, write: Write, pause: Callable[[], float] = lambda: PAUSE_SECONDS) -> None:
        self._write = write
        self._pause = pause
        self._queued: list[Alert] = []
        self._next: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None

    async def add(self, alerts: Sequence[Alert]) -> None:
        """Return when the alerts are rows; raises what `write` raises."""
        self._queued.extend(alerts)
        if self._next is None:
            self._next = asyncio.create_task(self._write_after(self._running))
        await asyncio.shield(self._next)

    async def _write_after(self, before: asyncio.Task[None] | None) -> None:
        if before is not None and not before.done():
            await asyncio.wait([before])
            await asyncio.sleep(self._pause())
        alerts, self._queued = tuple(self._queued), []
        self._running, self._next = self._next, None
        await self._write(alerts)
