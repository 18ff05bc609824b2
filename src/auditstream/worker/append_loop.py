"""From processed batches to the table: one lane per partition, one append at a time in each."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

import polars as pl
import structlog

from auditstream.errors import AbandonedError, AuditStreamError, WatermarkMovedError
from auditstream.settings import Settings
from auditstream.store.append import append_sealed
from auditstream.store.connection import Store
from auditstream.store.rejects import append_rejects
from auditstream.store.sealed import Sealed
from auditstream.worker.assignment import Assignment
from auditstream.worker.lane import Lane, Slice
from auditstream.worker.metrics import metrics
from auditstream.worker.pending import Pending
from auditstream.worker.share import NOTHING, Packed, Share
from auditstream.worker.source import Fetch, RecordSource

T = TypeVar("T")
log = structlog.get_logger("auditstream.append")

APPENDS_AT_ONCE: Final = 4
EARLIER: Final = 0.25
GOLDEN: Final = (5**0.5 - 1) / 2
"""Part of the age at which a partition is appended that differs from one to the other, so that
they do not all come at the same moment, when alerts would have to wait for the processors."""

NEARLY_FULL: Final = 0.7
HURRIED_AT_ONCE: Final = 2
"""Appends that are under way while memory is nearly full: few, so that they are large."""

MAX_BYTES: Final = 256 * 1024 * 1024
BACKLOG_PATIENCE: Final = 6.0
"""How much longer a row may wait while fetches are full: what is late already may as well become a
larger append, of which each costs the server some 40 ms beside what its rows cost."""

RETRY_SECONDS: Final = 1.0
MAX_RETRY_SECONDS: Final = 30.0


class Follower(Protocol):
    """Looks at what the table holds: once a partition is assigned, and after each append to it."""

    async def resumed(self, assignment: Assignment, abandoned: threading.Event) -> None:
        """Look at what was appended last, perhaps by a worker that crashed then."""

    def appended(self, candidates: Sequence[Packed]) -> None:
        """Look at what was just appended, soon."""


class AppendLoop:
    """Stores processed batches, partition by partition, each append on the watermark before it.

    It owns the assigned partitions: a revoked one is settled or abandoned before it is given up,
    and one on which another writer has appended is started again from the table's watermark.
    """

    def __init__(
        self, settings: Settings, store: Store, source: RecordSource, follower: Follower
    ) -> None:
        self._settings = settings
        self._follower = follower
        self._store = store
        self._source = source
        self._lanes: dict[int, Lane] = {}
        self._threads = ThreadPoolExecutor(APPENDS_AT_ONCE, "append")
        self._shrunk = asyncio.Event()
        self._backlog = False

    def current(self, fetch: Fetch) -> set[int]:
        """Return the partitions of the fetch that are still held as they were when it was read."""
        return {
            partition
            for partition, number in fetch.assignments.items()
            if partition in self._lanes
            and self._lanes[partition].assignment.number == number
            and not self._lanes[partition].draining
        }

    @property
    def rows(self) -> int:
        """Rows that wait to be stored."""
        return sum(lane.rows for lane in self._lanes.values())

    def pending(self) -> list[Pending]:
        """Return what must be known of events that are not yet in the table; on any thread."""
        return [item for lane in list(self._lanes.values()) for item in lane.pending()]

    def add(
        self, fetch: Fetch, shares: Mapping[int, Share], delivered: asyncio.Future[None]
    ) -> None:
        """Queue what became of a fetch; shares of partitions given up meanwhile are dropped."""
        before, self._backlog = self._backlog, len(fetch.records) >= self._settings.fetch_rows
        patience = BACKLOG_PATIENCE if self._backlog else 1.0
        due = time.monotonic() + self._settings.append_seconds * patience
        ends = dict(zip(fetch.records.partitions, fetch.records.offsets, strict=True))
        for partition in self.current(fetch):
            share = shares.get(partition, NOTHING)
            early = due - self._settings.append_seconds * EARLIER * (partition * GOLDEN % 1)
            self._lanes[partition].add(Slice(share, ends[partition] + 1, delivered, early))
        if not self._backlog:
            for lane in self._lanes.values():
                lane.hurry_by(time.monotonic() if before else due)
        self._hurry_largest()
        self._report_rows()

    def _hurry_largest(self) -> None:
        """Have the fullest partitions appended, due or not, while memory is nearly full."""
        waiting = sorted(self._lanes.values(), key=lambda lane: lane.queued, reverse=True)
        sent = sum(lane.in_flight > 0 for lane in waiting)
        if self.rows >= self._settings.buffer_rows * NEARLY_FULL:
            for lane in waiting[: max(HURRIED_AT_ONCE - sent, 0)]:
                lane.hurry_by(time.monotonic())

    async def room(self) -> None:
        """Wait while more is in memory than `buffer_rows` rows, or 256 MiB."""
        while self.rows >= self._settings.buffer_rows or self._bytes() >= MAX_BYTES:
            self._shrunk.clear()
            await self._shrunk.wait()

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def assigned(self, assignment: Assignment) -> None:
        """Open a lane for the partition; one that was left open gives up."""
        if old := self._lanes.get(assignment.partition):
            old.abandon()
        lane = Lane(assignment)
        self._lanes[assignment.partition] = lane
        lane.task = asyncio.create_task(self._run(lane))

    async def revoked(self, partitions: Sequence[int], within: float) -> dict[int, int]:
        """Settle the partitions, abandon those that take longer; return the next offsets."""
        lanes = [self._lanes[partition] for partition in partitions if partition in self._lanes]
        for lane in lanes:
            lane.drain()
        tasks = [lane.task for lane in lanes if lane.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=within)
            if late:
                await self.lost(partitions)
        self._forget(lanes)
        return {lane.assignment.partition: lane.settled for lane in lanes}

    async def lost(self, partitions: Sequence[int]) -> None:
        """Abandon the partitions; the store refuses what may still be in flight."""
        lanes = [self._lanes[partition] for partition in partitions if partition in self._lanes]
        for lane in lanes:
            lane.abandon()
        self._forget(lanes)

    def _forget(self, lanes: Sequence[Lane]) -> None:
        for lane in lanes:
            if self._lanes.get(lane.assignment.partition) is lane:
                del self._lanes[lane.assignment.partition]
        self._report_rows()

    async def _run(self, lane: Lane) -> None:
        try:
            await self._follower.resumed(lane.assignment, lane.abandoned)
            while taken := await lane.take(self._settings.append_rows):
                await self._settle(lane, taken)
                lane.landed()
                self._hurry_largest()
                self._source.commit(lane.assignment, lane.settled)
                self._report_rows()
        except AbandonedError:
            log.info("abandoned", **_where(lane))
        except WatermarkMovedError as error:
            metrics.watermark_moved.inc()
            log.warning("watermark_moved", error=str(error), **_where(lane))
            self._restart(lane)
        except asyncio.CancelledError:
            raise
        except BaseException:  # a panic of Polars is no Exception
            log.exception("append_broke", retry_seconds=MAX_RETRY_SECONDS, **_where(lane))
            self._forget([lane])
            await asyncio.sleep(MAX_RETRY_SECONDS)
            self._restart(lane)
        self._report_rows()

    def _restart(self, lane: Lane) -> None:
        lane.abandon()
        self._forget([lane])
        self._source.reassign(lane.assignment)

    async def _settle(self, lane: Lane, taken: list[Slice]) -> None:
        """Make the slices durable: alerts and rejects first, then the events past them."""
        for item in taken:
            await asyncio.shield(item.delivered)
        shares = [item.share for item in taken]
        rejects = pl.concat([share.rejects for share in shares])
        if rejects.height:
            await self.store_it(
                lambda: append_rejects(self._store, rejects, lane.abandoned), lane.abandoned
            )
            for reason, count in rejects["reason"].value_counts().iter_rows():
                metrics.events_rejected.labels(reason).inc(count)
        events = [share.events for share in shares if share.events is not None]
        if events:
            with metrics.append_seconds.time():
                await self.store_it(lambda: self._append(lane, events), lane.abandoned)
            lane.watermark = events[-1].last
            metrics.events_stored.inc(sum(part.rows for part in events))
            self._follower.appended(
                [share.candidates for share in shares if share.candidates is not None]
            )

    def _append(self, lane: Lane, events: Sequence[Sealed]) -> None:
        held = lane.assignment
        append_sealed(
            self._store, held.stream, held.partition, lane.watermark, events, lane.abandoned
        )

    async def store_it(self, call: Callable[[], T], abandoned: threading.Event) -> T:
        """Run a blocking call of the store on a thread, again while the store refuses it.

        Raises:
            AbandonedError: `abandoned` was set meanwhile.
            WatermarkMovedError: another writer was first.
        """
        wait = RETRY_SECONDS
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, call)
            except (AbandonedError, WatermarkMovedError):
                raise
            except AuditStreamError as error:
                log.exception("append_failed", error=str(error), retry_seconds=wait)
            await asyncio.sleep(wait)
            if abandoned.is_set():
                raise AbandonedError("the partition was given up before its rows were stored")
            wait = min(wait * 2, MAX_RETRY_SECONDS)

    def _bytes(self) -> int:
        return sum(lane.size for lane in self._lanes.values())

    def _report_rows(self) -> None:
        metrics.rows_pending.set(self.rows)
        self._shrunk.set()


def _where(lane: Lane) -> dict[str, object]:
    return {"stream": lane.assignment.stream, "partition": lane.assignment.partition}
