"""How many pages the endpoint gives a second, and how soon.

    python -m tests.bench.bench_api [--events 1000000] [--seconds 10] [--rate 100]

Loads events into a real ClickHouse, starts `auditstream api` as a process of its own, and asks for
pages of 100 entries, at a fixed rate for the latencies and in full for the throughput.
No two requests ask for the same page: first pages of other ranges for the latencies, then first
pages, and walks from page to page, as fast as it goes. ClickHouse, endpoint and this client share
the machine; accesses go to the spool of the endpoint. Processor time a request is told too: it says
something even when other work runs beside, whose share is told as well.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import httpx
import psutil

from auditstream.api.issue import Issued, create_token
from auditstream.settings import load_settings
from auditstream.store.append import append_events
from auditstream.store.connection import Store, connect
from auditstream.store.migrate import migrate
from tests.api.conftest import basic
from tests.api.many import many_rows
from tests.stack.clickhouse import ClickHouseServer
from tests.stack.poll import eventually
from tests.stack.ports import free_port
from tests.store.rows import START, STREAM

APPEND = 50_000
STEP = timedelta(milliseconds=20)
CLIENTS = 16


def load(store: Store, events: int) -> None:
    """Store the events, in appends like those of the worker."""
    expected = None
    for first in range(0, events, APPEND):
        frame = many_rows(min(APPEND, events - first), first=first, step=STEP)
        append_events(store, STREAM, 0, expected, frame, threading.Event())
        expected = frame["kafka_offset"][-1]


@contextmanager
def endpoint(url: str, directory: Path) -> Iterator[str]:
    """Run the command; yield its address."""
    port = free_port()
    environment = {
        **os.environ,
        "AUDITSTREAM_CLICKHOUSE_URL": url,
        "AUDITSTREAM_KAFKA_BROKERS": "127.0.0.1:1",
        "AUDITSTREAM_API_PORT": str(port),
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
    return httpx.get(f"{address}/openapi.json").status_code == 200


async def ask(
    session: aiohttp.ClientSession, address: str, number: int, events: int, token: str | None = None
) -> str | None:
    """Ask for a page before some moment; return the token of the next one."""
    moment = START + (events - number * 7_919 % events) * STEP
    parameters = {"start_timestamp": "2025-01-01", "end_timestamp": moment.isoformat()}
    if token is not None:
        parameters["next_token"] = token
    async with session.get(f"{address}/api/workspace-0/audit_logs", params=parameters) as answer:
        body = await answer.read()
        if answer.status != 200:
            raise RuntimeError(f"answered {answer.status}")
    following: str | None = json.loads(body[body.rindex(b',"next_token":') + 14 : -1])
    return following


async def at_rate(address: str, issued: Issued, events: int, rate: int, seconds: int) -> None:
    """Ask at a fixed rate and print the latencies, counted from when a request was due."""

    async def timed(session: aiohttp.ClientSession, number: int, due: float) -> float:
        await ask(session, address, number, events)
        return time.perf_counter() - due

    async with _session(issued) as session:
        await ask(session, address, 0, events)
        used = processor_seconds()
        begun = time.perf_counter()
        tasks = []
        for number in range(rate * seconds):
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(timed(session, number, begun + number / rate)))
        took = sorted(await asyncio.gather(*tasks))
    print_used(used, len(took))
    percentiles = {name: took[int(len(took) * share)] for name, share in _SHARES.items()}
    told = ", ".join(f"{name} {value * 1000:.1f} ms" for name, value in percentiles.items())
    print(f"{rate} requests/s for {seconds} s: {told}")


async def at_speed(
    address: str, issued: Issued, events: int, seconds: int, *, walking: bool
) -> None:
    """Ask as fast as it goes from some clients at once, and print the rate."""
    end = time.perf_counter() + seconds
    took: list[float] = []

    async def client(session: aiohttp.ClientSession, number: int) -> None:
        token: str | None = None
        while time.perf_counter() < end:
            started = time.perf_counter()
            place = number if walking else number + len(took) * CLIENTS
            token = await ask(session, address, place, events, token if walking else None)
            took.append(time.perf_counter() - started)

    used = processor_seconds()
    async with _session(issued) as session:
        await asyncio.gather(*(client(session, number) for number in range(CLIENTS)))
    what = "walks" if walking else "first pages"
    rate = len(took) / seconds
    median = statistics.median(took) * 1000
    print(f"{CLIENTS} clients, {what}: {rate:.0f} requests/s, median {median:.0f} ms")
    print_used(used, len(took))


def processor_seconds() -> dict[str, float]:
    """Return the processor time used so far, by kind of process, and by the rest of the machine."""
    machine = psutil.cpu_times()
    used = dict.fromkeys(("endpoint", "ClickHouse", "client"), 0.0)
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            command = " ".join(process.cmdline())
            kind = "endpoint" if "auditstream.cli api" in command else "ClickHouse"
            times = process.cpu_times()
            used["client" if process == own else kind] += times.user + times.system
    rest = sum(machine) - machine.idle - machine.iowait - sum(used.values())
    return {**used, "rest of the machine": rest}


def print_used(before: dict[str, float], requests: int) -> None:
    """Print the processor time used since `before`, a request."""
    told = ", ".join(
        f"{kind} {(now - before[kind]) / requests * 1000:.2f} ms"
        for kind, now in processor_seconds().items()
    )
    print(f"  processor time a request: {told}")


_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def _session(issued: Issued) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        headers={"Authorization": basic(issued)},
        connector=aiohttp.TCPConnector(limit=200),
    )


def main() -> None:
    """Run it and print the figures."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--seconds", type=int, default=10)
    arguments.add_argument("--rate", type=int, default=100)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name, ClickHouseServer(Path(name) / "ch") as server:
        with connect(load_settings(clickhouse_url=server.url)) as store:
            migrate(store, 0)
            started = time.perf_counter()
            load(store, given.events)
            print(f"{given.events:,} events stored in {time.perf_counter() - started:.0f} s")
            issued = create_token(
                store,
                workspace_id=f"{0:016x}",
                workspace_username="workspace-0",
                name="bench",
                scopes=("read",),
                by="bench",
                now=datetime.now(UTC),
            )
        with endpoint(server.url, Path(name)) as address:
            asyncio.run(at_rate(address, issued, given.events, given.rate, given.seconds))
            for walking in (False, True):
                asyncio.run(at_speed(address, issued, given.events, given.seconds, walking=walking))


if __name__ == "__main__":
    main()
