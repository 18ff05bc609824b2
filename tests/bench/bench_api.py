"""How many pages the endpoint gives a second, and how soon.

    python -m tests.bench.bench_api [--events 1000000] [--seconds 8] [--rate 100] [--workers 1]

Loads events into a real ClickHouse, starts `auditstream api` as a process of its own, and asks for
pages of 100 entries over kept connections: at a fixed rate for the latencies, counted from when a
request was due, and in full for the throughput, in walks of so many pages: of one, first pages
alone, which each cost ClickHouse a query; of five; and through the whole log. No two walks begin at
the same moment. With `--kafka`, accesses reach a real Kafka meanwhile; else they stay in the spool.
With `--arriving`, so many events are stored a second meanwhile, half of them late. All of it shares
the machine: processor time a request is told by part, that of this client and of other work too.
Bodies are not compressed, since this client does not ask for it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import psutil
import uvloop

from auditstream.alerts.topics import ensure_topics
from auditstream.api.issue import Issued, create_token
from auditstream.settings import load_settings
from auditstream.store.append import append_events
from auditstream.store.connection import Store, connect
from auditstream.store.migrate import migrate
from tests.api.many import many_rows
from tests.bench.page_client import Connection, Pages, open_connection
from tests.stack.clickhouse import ClickHouseServer
from tests.stack.kafka import KafkaServer
from tests.stack.poll import eventually
from tests.stack.ports import free_port
from tests.store.rows import START, STREAM

APPEND: Final = 50_000
APPENDS_A_SECOND: Final = 2
STEP: Final = timedelta(milliseconds=20)
CLIENTS: Final = 16
PAGES: Final = {"first pages": 1, "walks of 5 pages": 5, "walks": 1_000_000}
SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "longest": 1.0}


def load(store: Store, events: int) -> None:
    """Store the events, in appends like those of the worker."""
    expected = None
    for first in range(0, events, APPEND):
        frame = many_rows(min(APPEND, events - first), first=first, step=STEP)
        append_events(store, STREAM, 0, expected, frame, threading.Event())
        expected = frame["kafka_offset"][-1]


def arrive(url: str, events: int, rate: int) -> None:
    """Store so many events a second, for ever: by turns new ones and late ones."""
    with connect(load_settings(clickhouse_url=url)) as store:
        count = rate // APPENDS_A_SECOND
        begun = time.monotonic()
        for number in itertools.count():
            first = events + number * count
            start = START if number % 2 else START - number * count * STEP
            frame = many_rows(count, first=first, start=start, step=STEP)
            append_events(store, STREAM, 0, first - 1, frame, threading.Event())
            if number == APPENDS_A_SECOND:
                print("steady", flush=True)  # what it takes to start is over
            due = begun + (number + 1) / APPENDS_A_SECOND
            time.sleep(max(0.0, due - time.monotonic()))


@contextmanager
def endpoint(
    url: str, directory: Path, workers: int = 1, brokers: str = "127.0.0.1:1"
) -> Iterator[str]:
    """Run the command; yield its address."""
    port = free_port()
    environment = {
        **os.environ,
        "AUDITSTREAM_CLICKHOUSE_URL": url,
        "AUDITSTREAM_KAFKA_BROKERS": brokers,
        "AUDITSTREAM_API_PORT": str(port),
        "AUDITSTREAM_API_WORKERS": str(workers),
        "AUDITSTREAM_API_REQUESTS_PER_MINUTE": "10000000",
        "AUDITSTREAM_SPOOL_DIR": str(directory / "spool"),
        "AUDITSTREAM_SPOOL_CLOSE_SECONDS": "0",
    }
    log = (directory / "api.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "auditstream.cli", "api"], env=environment, stderr=log, stdout=log
    )
    try:
        address = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(address), within=30.0, what="the endpoint")
        yield address
    finally:
        process.terminate()
        process.wait(30.0)


def _answers(address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{address}/openapi.json").status_code == 200
    return False


class Walker:
    """Asks for the pages of walks of so many pages, one after the other, over one connection."""

    def __init__(
        self, pages: Pages, connection: Connection, events: int, length: int, number: int
    ) -> None:
        self._pages = pages
        self._connection = connection
        self._events = events
        self._length = length
        # The first walks are of several lengths, so that first pages come in no bursts.
        self._next_length = 1 + number % length
        self._left = 0
        self._token: str | None = None

    async def ask(self) -> bool:
        """Ask for the next page; return whether it was the first of a walk."""
        first = self._token is None or not self._left
        if first:
            self._left, self._token = self._next_length, None
            self._next_length = self._length
            number = next(_walks) * 7_919 % self._events
            self._until = START + (self._events - number) * STEP
        self._token = await self._connection.ask(self._pages.request(self._until, self._token))
        self._left -= 1
        return first


_walks = itertools.count()


async def walkers(pages: Pages, events: int, length: int, count: int) -> list[Walker]:
    """Return so many walkers, which have not asked for anything yet."""
    return [
        Walker(pages, await open_connection(pages), events, length, number)
        for number in range(count)
    ]


async def at_rate(pages: Pages, events: int, rate: int, seconds: int) -> None:
    """Ask at a fixed rate, for walks of 5 pages, and print the latencies."""
    idle: asyncio.Queue[Walker] = asyncio.Queue()
    for walker in await walkers(pages, events, 5, 2 * CLIENTS):
        idle.put_nowait(walker)

    async def timed(due: float) -> tuple[bool, float]:
        walker = await idle.get()
        first = await walker.ask()
        idle.put_nowait(walker)
        return first, time.perf_counter() - due

    await timed(time.perf_counter())
    with Use() as use:
        begun = time.perf_counter()
        tasks = []
        for number in range(rate * seconds):
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(timed(due)))
        took = await asyncio.gather(*tasks)
    print(f"{rate} requests/s for {seconds} s, walks of 5 pages")
    for title, wanted in (("all", (True, False)), ("first", (True,)), ("next", (False,))):
        print(f"  {title}: {_percentiles([time for first, time in took if first in wanted])}")
    use.tell(len(took))


async def at_speed(pages: Pages, events: int, seconds: int, kind: str) -> None:
    """Ask as fast as it goes from some clients at once, and print the rate."""
    took: list[float] = []

    async def go(walker: Walker, end: float) -> None:
        while (started := time.perf_counter()) < end:
            await walker.ask()
            took.append(time.perf_counter() - started)

    every = await walkers(pages, events, PAGES[kind], CLIENTS)
    with Use() as use:
        begun = time.perf_counter()
        await asyncio.gather(*(go(walker, begun + seconds) for walker in every))
        lasted = time.perf_counter() - begun
    print(f"{CLIENTS} clients, {kind}: {len(took) / lasted:.0f} requests/s, {_percentiles(took)}")
    use.tell(len(took))


def _percentiles(took: list[float]) -> str:
    took = sorted(took)
    at = {name: took[min(len(took) - 1, int(len(took) * share))] for name, share in SHARES.items()}
    return ", ".join(f"{name} {value * 1000:.1f} ms" for name, value in at.items())


class Use:
    """Processor time used within a `with` block, by kind of process."""

    _KINDS: Final = {
        "clickhouse_main": "ClickHouse",
        "kafka.Kafka": "Kafka",
        "multiprocessing": "endpoint",
        "auditstream.cli": "endpoint",
    }

    def __enter__(self) -> Use:
        self._begun = time.perf_counter()
        self._before = _processor_seconds(self._KINDS)
        return self

    def __exit__(self, *_: object) -> None:
        after = _processor_seconds(self._KINDS)
        self._used = {kind: after[kind] - self._before.get(kind, 0.0) for kind in after}
        self._lasted = time.perf_counter() - self._begun

    def tell(self, requests: int) -> None:
        """Print it, a request, and what part of the machine it was."""
        told = ", ".join(
            f"{kind} {used / requests * 1000:.2f} ms"
            f" ({used / self._lasted / (os.cpu_count() or 1):.0%})"
            for kind, used in self._used.items()
        )
        print(f"  processor time a request (of the machine): {told}", flush=True)


def _processor_seconds(kinds: dict[str, str]) -> dict[str, float]:
    machine = psutil.cpu_times()
    used: dict[str, float] = {}
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            command = " ".join(process.cmdline())
            found = (kind for mark, kind in kinds.items() if mark in command)
            kind = "client" if process == own else next(found, "arrivals")
            times = process.cpu_times()
            used[kind] = used.get(kind, 0.0) + times.user + times.system
    rest = sum(machine) - machine.idle - machine.iowait - sum(used.values())
    return {**used, "other work": rest}


@contextmanager
def arriving(url: str, events: int, rate: int) -> Iterator[None]:
    """Store events meanwhile."""
    call = f"from tests.bench.bench_api import arrive; arrive({url!r}, {events}, {rate})"
    process = subprocess.Popen([sys.executable, "-c", call], stdout=subprocess.PIPE)
    try:
        if process.stdout is None or not process.stdout.readline():
            raise RuntimeError("no events arrive")
        yield
        if process.poll() is not None:
            raise RuntimeError("events did not arrive")
    finally:
        process.terminate()
        process.wait(30.0)


def main() -> None:
    """Run it and print the figures."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--seconds", type=int, default=8, help="of each kind at full speed")
    arguments.add_argument("--rate", type=int, default=100)
    arguments.add_argument("--rate-seconds", type=int, default=20)
    arguments.add_argument("--workers", type=int, default=1)
    arguments.add_argument("--arriving", type=int, default=0, help="events a second")
    arguments.add_argument("--kafka", action="store_true")
    given = arguments.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(ClickHouseServer(directory / "ch"))
        brokers = "127.0.0.1:1"
        if given.kafka:
            brokers = stack.enter_context(KafkaServer(directory / "kafka")).bootstrap
            ensure_topics(load_settings(kafka_brokers=brokers), 3)
        with connect(load_settings(clickhouse_url=server.url)) as store:
            migrate(store, 0)
            started = time.perf_counter()
            load(store, given.events)
            print(f"{given.events:,} events stored in {time.perf_counter() - started:.0f} s")
            issued = _token(store)
        address = stack.enter_context(endpoint(server.url, directory, given.workers, brokers))
        if given.arriving:
            stack.enter_context(arriving(server.url, given.events, given.arriving))
        pages = Pages(address, issued)
        if given.rate_seconds:
            uvloop.run(at_rate(pages, given.events, given.rate, given.rate_seconds))
        for kind in PAGES if given.seconds else ():
            uvloop.run(at_speed(pages, given.events, given.seconds, kind))


def _token(store: Store) -> Issued:
    return create_token(
        store,
        workspace_id=f"{0:016x}",
        workspace_username="workspace-0",
        name="bench",
        scopes=("read",),
        by="bench",
        now=datetime.now(UTC),
    )


if __name__ == "__main__":
    main()
