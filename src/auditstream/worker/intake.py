"""From a fetch to the lanes: process, alert, queue for the table."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from math import inf
from typing import Final

import polars as pl
import structlog

from auditstream.contract.alert import Alert
from auditstream.errors import AbandonedError, ServiceUnavailableError, StoreError
from auditstream.pipeline.pipeline import Pipeline
from auditstream.pipeline.records import Batch, Processed
from auditstream.settings import Settings
from auditstream.store.alerts import append_alerts
from auditstream.store.columns import REJECT_SCHEMA
from auditstream.store.connection import Store
from auditstream.store.history import StoredHistory
from auditstream.store.watermark import read_watermarks, table_identity
from auditstream.worker.alert_rows import LAGGING_PAUSE_SECONDS, PAUSE_SECONDS, AlertRows
from auditstream.worker.append_loop import AppendLoop
from auditstream.worker.assignment import Assignment
from auditstream.worker.correlator import Correlator
from auditstream.worker.metrics import metrics
from auditstream.worker.outbox import Outbox
from auditstream.worker.pending import Memory, PendingHistory
from auditstream.worker.positions import Ledger
from auditstream.worker.quarantine import process_all, read_all
from auditstream.worker.rule_book import RuleBook
from auditstream.worker.share import Packed, share_out
from auditstream.worker.source import Fetch, RecordSource

log = structlog.get_logger("auditstream.intake")

CLOCK_SECONDS: Final = 30.0
RULES_SECONDS: Final = 5.0
"""How often rule files are looked at."""

FULL_SECONDS: Final = 3.0
"""Without another fetch for so long, a full one was the last of a backlog."""

LAGGING_SECONDS: Final = 60.0
RESTS: Final = 2.0
MAX_REST_SECONDS: Final = 5.0
"""An evaluation is followed by a rest of so many times its own length, up to so many seconds."""

MAX_CANDIDATES: Final = 1_000_000
"""Events that wait for rules over several events while reading lags, some 80 MB."""

NO_REJECTS: Final = pl.DataFrame(schema=REJECT_SCHEMA)
RETRY_SECONDS: Final = 0.5
MAX_RETRY_SECONDS: Final = 10.0


class Intake:
    """Takes fetches in, one after the other, and hands what became of them to the lanes.

    While one fetch is looked up in the store, the next is read already. A step that needs the
    store waits for it while the store is away; the source keeps the worker's place in the group
    meanwhile.
    """

    def __init__(self, settings: Settings, store: Store, rules: RuleBook) -> None:
        self.source = RecordSource(settings, lambda stream: read_ledger(store, stream))
        self._settings = settings
        self._store = store
        self._rules = rules
        self._candidates: list[Packed] = []
        self._found = asyncio.Event()
        self._lanes = AppendLoop(settings, store, self.source, self)
        catalogue = rules.in_force.pipeline.catalogue
        self._memory = Memory(catalogue)
        self._history = PendingHistory(StoredHistory(store, catalogue), self._lanes.pending)
        self._outbox = Outbox(settings)
        self._rows = AlertRows(self._store_alerts, self._pause)
        self._reader = ThreadPoolExecutor(1, "read")
        self._thread = ThreadPoolExecutor(1, "process")
        self._turn: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._full_at = -inf
        self._stopping = threading.Event()
        self._given_up = threading.Event()

    @property
    def busy(self) -> bool:
        """Whether partitions are held."""
        return self.source.running

    @property
    def _reading_lags(self) -> bool:
        """Whether the last fetch was full, and more may follow at once."""
        more = self.source.unread > 0 or time.monotonic() < self._full_at + FULL_SECONDS
        return self._full_at > -inf and more

    @property
    def _lagging(self) -> bool:
        """Whether reading lags, or much waits to be stored, as it does under any high load."""
        return self._reading_lags or self._lanes.rows > self._settings.fetch_rows

    async def start(self) -> None:
        """Join the group and begin to read."""
        self._loop = asyncio.get_running_loop()
        await self.source.start(self._lanes)

    async def take(self, fetch: Fetch) -> None:
        """Begin to process a fetch; returns when the one before is queued for the table.

        Raises nothing for what a record holds: that becomes a reject.
        """
        await self._lanes.room()
        full = len(fetch.records) >= self._settings.fetch_rows
        self._full_at = time.monotonic() if full else -inf
        read = asyncio.get_running_loop().run_in_executor(
            self._reader, read_all, self._rules.in_force.pipeline, fetch.records
        )
        before, self._turn = self._turn, None
        if before is not None:
            await before
        self._turn = asyncio.create_task(self._queue(fetch, read))

    async def resumed(self, assignment: Assignment, abandoned: threading.Event) -> None:
        """Raise the alerts over several events of what was appended to a partition last."""
        held, correlator = assignment, self._rules.in_force.correlator
        if not correlator.idle:
            await self._correlate(
                lambda now: correlator.catch_up(held.stream, held.partition, now), abandoned
            )

    def appended(self, candidates: Sequence[Packed]) -> None:
        """Note events that give cause to evaluate rules over several events."""
        self._candidates += candidates
        if candidates:
            self._found.set()

    async def watch_events(self) -> None:
        """Raise the alerts over several events after appends, as long as the worker runs.

        While reading or storing lags, the store is asked once a minute only, for many at once. What
        is not evaluated when the worker ends, is by the next one: see `resumed`.
        """
        due = time.monotonic() + LAGGING_SECONDS
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._found.wait(), RETRY_SECONDS)
            self._found.clear()
            many = _rows(self._candidates) >= MAX_CANDIDATES
            if self._lagging and not many and time.monotonic() < due:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            candidates, self._candidates = self._candidates, []
            if candidates:
                began = time.monotonic()
                await self._evaluate(candidates)
                ended = time.monotonic()
                due = ended + LAGGING_SECONDS
                # Most of the time is left to what must not wait: look-ups, and appends.
                await asyncio.sleep(
                    min(max(RESTS * (ended - began), RETRY_SECONDS), MAX_REST_SECONDS)
                )

    async def _evaluate(self, candidates: list[Packed]) -> None:
        correlator = self._rules.in_force.correlator

        def find(now: datetime) -> tuple[Alert, ...]:
            rows = correlator.joined([packed.frame() for packed in candidates])
            return correlator.evaluate(rows, now)

        try:
            await self._correlate(find, self._given_up)
        except AbandonedError:
            log.info("abandoned", events=_rows(candidates))
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # a panic of Polars is no Exception
            metrics.correlations_failed.inc()
            log.exception("evaluation_broke", events=_rows(candidates))

    async def watch_rules(self) -> None:
        """Take changed rules into force between two fetches, as long as the worker runs."""
        while not await asyncio.to_thread(self._stopping.wait, RULES_SECONDS):
            await asyncio.to_thread(self._rules.changed)

    def raise_alerts(self, alerts: Sequence[Alert]) -> None:
        """Send alerts to their topic and make them rows; callable from any other thread.

        Blocks until that is done, or the worker has been told to stop.

        Raises:
            ServiceUnavailableError: the worker does not run.
        """
        if self._loop is None or self._stopping.is_set():
            raise ServiceUnavailableError("the worker does not run")
        sending = asyncio.run_coroutine_threadsafe(self._raise(tuple(alerts)), self._loop)
        while not self._stopping.is_set() and not wait([sending], RETRY_SECONDS).done:
            pass
        if sending.done():
            sending.result()

    async def watch_clock(self) -> None:
        """Raise the alerts of what has not happened in time, as long as the worker runs.

        While reading lags, what is missing may only be on its way, and is waited for.
        """
        while not await asyncio.to_thread(self._stopping.wait, CLOCK_SECONDS):
            if self._reading_lags or not self.source.holds_partitions:
                continue
            with suppress(AbandonedError):
                correlator = self._rules.in_force.correlator
                await self._correlate(partial(_due, correlator), self._given_up)

    async def _correlate(
        self,
        find: Callable[[datetime], tuple[Alert, ...]],
        abandoned: threading.Event,
    ) -> None:
        alerts = await self._lanes.store_it(lambda: find(datetime.now(UTC)), abandoned)
        await self._raise(alerts)

    async def stop(self) -> None:
        """Settle what was read, within the drain bound, and leave the group.

        Half of the bound is for what is being processed, the rest for what is to be stored.
        """
        until = time.monotonic() + self._settings.drain_seconds
        self.source.stop_reading()
        self._stopping.set()
        half = until - self._settings.drain_seconds / 2
        while self._busy() and time.monotonic() < half:  # noqa: ASYNC110  bounded
            await asyncio.sleep(0.02)
        await self.source.close(until - time.monotonic())
        self._given_up.set()
        self._lanes.close()
        self._reader.shutdown(wait=False, cancel_futures=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _busy(self) -> bool:
        return bool(self.source.unread) or (self._turn is not None and not self._turn.done())

    async def _queue(self, fetch: Fetch, read: asyncio.Future[Batch | None]) -> None:
        rules = self._rules.in_force
        processed = await self._process(fetch, await read, rules.pipeline)
        if processed is not None:
            # Not with all that was processed, which would stay in memory until then.
            delivered = asyncio.ensure_future(self._deliver(processed.rejects, processed.alerts))
            shares = await asyncio.get_running_loop().run_in_executor(
                self._thread,
                share_out,
                processed,
                self._memory,
                rules.correlator.candidates,
            )
            self._lanes.add(fetch, shares, delivered)
            metrics.events_repeated.inc(processed.duplicates)

    async def _process(
        self, fetch: Fetch, read: Batch | None, pipeline: Pipeline
    ) -> Processed | None:
        """Run the pipeline, again while the store is away; None when nothing is held any more."""
        pause = RETRY_SECONDS
        while held := self._lanes.current(fetch):
            records = fetch.records.of_partitions(held)
            try:
                with metrics.process_seconds.time():
                    return await asyncio.get_running_loop().run_in_executor(
                        self._thread,
                        process_all,
                        pipeline,
                        records,
                        self._history,
                        read if records is fetch.records else None,
                    )
            except (ServiceUnavailableError, StoreError) as error:
                log.warning("history_unknown", error=str(error), retry_seconds=pause)
            if self._stopping.is_set():
                return None
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_RETRY_SECONDS)
        return None

    async def _deliver(self, rejects: pl.DataFrame, alerts: tuple[Alert, ...]) -> None:
        """Send alerts and rejects to their topics, and make the alerts rows of the table."""
        await self._outbox.send((), rejects)
        await self._raise(alerts)

    async def _raise(self, alerts: tuple[Alert, ...]) -> None:
        if not alerts:
            return
        await self._outbox.send(alerts, NO_REJECTS)
        for alert in alerts:
            metrics.alerts.labels(alert.rule_id).inc()
        await self._rows.add(alerts)

    def _pause(self) -> float:
        return LAGGING_PAUSE_SECONDS if self._lagging else PAUSE_SECONDS

    async def _store_alerts(self, alerts: tuple[Alert, ...]) -> None:
        await self._lanes.store_it(
            lambda: append_alerts(self._store, alerts, self._given_up), self._given_up
        )


def _rows(packed: Iterable[Packed]) -> int:
    return sum(part.rows for part in packed)


def _due(correlator: Correlator, now: datetime) -> tuple[Alert, ...]:
    return correlator.due(now, now)


def read_ledger(store: Store, stream: str) -> Ledger:
    """Return what the table knows of a stream; blocks, and raises what `Store` raises."""
    return Ledger(table_identity(store), read_watermarks(store, stream))
