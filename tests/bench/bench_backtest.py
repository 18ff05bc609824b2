"""How fast rules are tried on history: `python -m tests.bench.bench_backtest [--rows N]`.

Starts a ClickHouse server, fills it with N events of 3,000 workspaces over the last 30 days, and
runs `auditstream rules backtest FILE --since 30d --against` for changed built-in rules: of single
events, a count of events, an order of events, a first seen. Prints the seconds of the command, of
which it takes one or two to start, and those that ClickHouse takes for one version.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from auditstream.rules.files import builtin_directory
from auditstream.rules.load import load_rules
from auditstream.settings import load_settings
from auditstream.store.columns import EVENTS
from auditstream.store.connection import Store, connect
from auditstream.store.migrate import migrate
from auditstream.worker.backtest import by_day
from tests.bench.workspaces import Size
from tests.bench.workspaces import fill as sampled
from tests.stack.clickhouse import ClickHouseServer

SAMPLE: Final = 1_000_000
"""Events made one by one; the rest are copies of them at other times."""

AT_ONCE: Final = 2
"""Copies that are made by one statement."""

CHUNK_ROWS: Final = AT_ONCE * SAMPLE
DAYS: Final = 30
STREAM: Final = "bench/copies/1"

CHANGES: Final = {
    "connection_deleted": ("outcome: success", "outcome: [success, failure]"),
    "connection_manage_granted_to_member": ("outcome: success", "outcome: [success, failure]"),
    "mass_removals": ("gte: 10", "gte: 9"),
    "granted_and_revoked_member": ("timespan: 10m", "timespan: 20m"),
    "first_time_granter": ("group-by: [workspace_id]", "group-by: [workspace_id, actor_type]"),
}
"""What is changed in the file of each rule."""


def main() -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--only", default="", help="rules whose name has this word")
    parser.add_argument("--extra", type=Path, help="statements to run before the table is filled")
    parser.add_argument("--directory", type=Path, help="of the server: kept, and filled once")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kept = arguments.directory
        server = ClickHouseServer(kept or directory / "server")
        server.start()
        # Closing it would delete its data.
        stack.callback(server.stop if kept else server.close)
        settings = load_settings(clickhouse_url=server.url, append_timeout_seconds=900)
        store = stack.enter_context(connect(settings))
        migrate(store, 0)
        for statement in arguments.extra.read_text().split(";\n") if arguments.extra else ():
            store.command(statement)
        began = time.perf_counter()
        filled = store.query_frame(f"SELECT count() FROM {store.database}.events").item()
        for count in () if filled else fill(store, arguments.rows):
            print(f"\r{count:,} events in {time.perf_counter() - began:.0f} s", end="", flush=True)
        print()
        for name, (old, new) in CHANGES.items():
            if arguments.only in name:
                file = directory / f"{name}.yml"
                text = builtin_directory().joinpath(file.name).read_text(encoding="utf-8")
                assert old in text
                file.write_text(text.replace(old, new), encoding="utf-8")
                print(f"{name:36}{command(server.url, file)}; ClickHouse {queries(store, name)}")


def fill(store: Store, rows: int) -> Iterator[int]:
    """Store about `rows` events in the order of their times; yield how many there are so far."""
    list(sampled(store, Size(SAMPLE, SAMPLE // 4)))
    events = f"{store.database}.events"
    copies = max(1, rows // SAMPLE)
    begin = datetime.now(UTC) - timedelta(days=DAYS)
    step = timedelta(days=DAYS) / (copies * SAMPLE) / timedelta(microseconds=1)
    # One copy after the other: side by side they would be bursts of the same act.
    place = f"n.number * {SAMPLE} + e.kafka_offset"
    moment = f"fromUnixTimestamp64Micro(toInt64({begin.timestamp()} * 1e6 + ({place}) * {step}))"
    replaced = {
        "stream": f"'{STREAM}'",
        "event_id": f"dateTimeToUUIDv7(toDateTime({moment}))",
        "kafka_offset": place,
        "occurred_at": moment,
        "ingested_at": f"{moment} + toIntervalMillisecond(700)",
        "event_id_minute": f"toStartOfMinute({moment})",
    }
    columns = ", ".join(replaced.get(name, f"e.{name}") for name in EVENTS)
    for first in range(0, copies, AT_ONCE):
        count = min(AT_ONCE, copies - first)
        store.command(
            f"INSERT INTO {events} ({', '.join(EVENTS)}, partition_month) "
            f"SELECT {columns}, toStartOfMonth({moment}) FROM {events} AS e "
            f"CROSS JOIN numbers({first}, {count}) AS n WHERE e.stream != '{STREAM}'",
            dict.fromkeys(("max_insert_block_size", "min_insert_block_size_rows"), CHUNK_ROWS),
        )
        yield (first + count) * SAMPLE


def command(url: str, file: Path) -> str:
    """Run the command on a changed rule; return its seconds and what it told."""
    line = [sys.executable, "-m", "auditstream.cli", "rules", "backtest", str(file)]
    line += ["--since", f"{DAYS}d", "--against", "--url", url, "--format", "json"]
    began = time.perf_counter()
    done = subprocess.run(line, env=os.environ, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        return f"refused after {seconds:.1f} s: {done.stderr.strip()[-300:]}"
    told = json.loads(done.stdout)
    return (
        f"{seconds:5.1f} s: {told['added']:,} alerts added, {told['removed']:,} removed, "
        f"{told['kept']:,} kept"
    )


def queries(store: Store, name: str) -> str:
    """Return the seconds of the query of the version in force."""
    now = datetime.now(UTC)
    began = time.perf_counter()
    by_day(store, load_rules(), name, now - timedelta(days=DAYS), now, 100)
    return f"{time.perf_counter() - began:.1f} s for one version"


if __name__ == "__main__":
    main()
