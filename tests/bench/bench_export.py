"""How an export of many events goes, in which memory, and whether it is whole.

    python -m tests.bench.bench_export [--events 10000000] [--format csv …]

Fills a real ClickHouse with events of one workspace, starts `auditstream api` as a process of its
own, and reads a file of all events in each format: its rows are counted, its bytes are hashed and
compared with the manifest. Then the file is read to its middle, broken off, and gone on with after
more events were stored and parts merged: both halves have to make up the same file. The memory of
the endpoint is looked at all the while, and that of ClickHouse. Ten million events take about a
minute to fill, and a format about three; nothing but a Parquet file is kept on disk.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from auditstream.api.issue import Issued, create_token
from auditstream.settings import load_settings
from auditstream.store.connection import Store, connect
from auditstream.store.migrate import migrate
from tests.bench.bench_api import endpoint
from tests.bench.workspaces import Size, fill, statement
from tests.stack.clickhouse import ClickHouseServer

FORMATS: Final = ("csv", "jsonl", "parquet", "arrow")
PATH: Final = "/v1/workspace-0/events/export"
MORE: Final = 100_000
POLL_SECONDS: Final = 0.1


class Tap(io.RawIOBase):
    """The bytes of a file as they come, counted and hashed, for a reader of its format."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self.digest = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self.digest.update(piece)
            self.size += len(piece)
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


@dataclass
class Memory:
    """The largest resident memory seen, in MiB, by kind of process."""

    endpoint: float = 0.0
    clickhouse: float = 0.0

    def look(self) -> None:
        """Look once."""
        used = {"endpoint": 0.0, "clickhouse": 0.0}
        for process in psutil.Process().children(recursive=True):
            kind = "clickhouse" if "clickhouse_main" in " ".join(process.cmdline()) else "endpoint"
            used[kind] += process.memory_info().rss / 2**20
        self.endpoint = max(self.endpoint, used["endpoint"])
        self.clickhouse = max(self.clickhouse, used["clickhouse"])


@contextmanager
def watched() -> Iterator[Memory]:
    """Look at the memory of the processes within the block."""
    memory = Memory()
    done = threading.Event()

    def work() -> None:
        while not done.wait(POLL_SECONDS):
            memory.look()

    memory.look()
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield memory
    finally:
        done.set()
        thread.join()


def rows_of(tap: Tap, form: str, directory: Path) -> int:
    """Read a file to its end and return how many events it holds."""
    source = io.BufferedReader(tap, 1 << 20)
    if form == "arrow":
        return sum(batch.num_rows for batch in pa.ipc.open_stream(source))
    if form == "parquet":
        path = directory / "file.parquet"
        with path.open("wb") as file:
            while piece := source.read(1 << 20):
                file.write(piece)
        rows: int = pq.ParquetFile(path).metadata.num_rows
        path.unlink()
        return rows
    lines = 0
    while piece := source.read(1 << 20):
        lines += piece.count(b"\n")
    return lines - (form == "csv")


def whole(client: httpx.Client, form: str, directory: Path) -> tuple[str, Tap]:
    """Read a file, print how that went, and return the export's id and what was read."""
    started = time.perf_counter()
    with watched() as memory, client.stream("GET", PATH, params={"format": form}) as answer:
        answer.raise_for_status()
        tap = Tap(answer.iter_raw())
        rows = rows_of(tap, form, directory)
        name, announced = answer.headers["export-id"], int(answer.headers["export-events"])
    seconds = time.perf_counter() - started
    manifest = client.get(f"{PATH}/manifest", params={"format": form, "export": name}).json()
    whole = (rows, tap.size, tap.digest.hexdigest()) == (
        manifest["events"],
        manifest["bytes"],
        manifest["sha256"],
    )
    print(
        f"{form}: {rows:,} rows of {announced:,}, {tap.size / 2**20:,.0f} MiB in {seconds:.0f} s, "
        f"as its manifest says: {whole}; endpoint at most {memory.endpoint:.0f} MiB, "
        f"ClickHouse {memory.clickhouse:.0f} MiB"
    )
    return name, tap


def halves(client: httpx.Client, form: str, name: str, expected: Tap) -> None:
    """Read a file to its middle, break off, go on, and print whether it is the same file."""
    digest = hashlib.sha256()
    read = 0
    given = {"format": form, "export": name}
    started = time.perf_counter()
    with watched() as memory:
        with client.stream("GET", PATH, params=given) as answer:
            for piece in answer.iter_raw():
                digest.update(piece)
                read += len(piece)
                if read > expected.size // 2:
                    break
        with client.stream("GET", PATH, params={**given, "offset": read}) as answer:
            for piece in answer.iter_raw():
                digest.update(piece)
    print(
        f"  broken off at {read / expected.size:.0%} and gone on with: "
        f"same file: {digest.digest() == expected.digest.digest()}, "
        f"{time.perf_counter() - started:.0f} s; endpoint at most {memory.endpoint:.0f} MiB"
    )


def disturb(store: Store, events: int, number: int) -> None:
    """Store more events, and let parts be merged."""
    start = events + number * MORE
    store.command(statement(store.database, Size(events, events), start, MORE))
    store.command(f"OPTIMIZE TABLE {store.database}.events")


def _issued(store: Store) -> Issued:
    return create_token(
        store,
        workspace_id="w000000",
        workspace_username="workspace-0",
        name="bench",
        scopes=("export",),
        by="bench",
        now=datetime.now(UTC),
    )


def main() -> None:
    """Run it and print the figures."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--events", type=int, default=10_000_000)
    arguments.add_argument("--format", nargs="+", choices=FORMATS, default=FORMATS)
    given = arguments.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        ClickHouseServer(Path(name) / "ch") as server,
        connect(load_settings(clickhouse_url=server.url)) as store,
    ):
        migrate(store, 0)
        started = time.perf_counter()
        for rows in fill(store, Size(given.events, given.events)):
            stored = rows
        print(f"{stored:,} events stored in {time.perf_counter() - started:.0f} s")
        issued = _issued(store)
        with (
            endpoint(server.url, Path(name)) as address,
            httpx.Client(
                base_url=address,
                auth=(issued.token.token_id, issued.secret),
                headers={"Accept-Encoding": "identity"},
                timeout=300.0,
            ) as client,
        ):
            for number, form in enumerate(given.format):
                export_id, tap = whole(client, form, Path(name))
                disturb(store, given.events, number)
                halves(client, form, export_id, tap)


if __name__ == "__main__":
    main()
