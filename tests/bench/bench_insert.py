"""What inserting an event costs ClickHouse: `python -m tests.bench.bench_insert [--extra FILE]`.

Starts a ClickHouse server and inserts batches of the catalogue's mix, in the order of Kafka, into
tables like that of events: as it is, and without one of its parts each. Prints for each the
processor time of the server in microseconds an event at best and in the median, the difference to
the table as it is, and bytes an event on disk; then what merging all parts once costs: as they
hold the same events, the bytes after it are too few. `--extra FILE` adds variants: lines of a
name, a colon and what an ALTER TABLE of the events does.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final

import polars as pl
import psutil

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.pipeline.pipeline import Pipeline
from auditstream.rules.load import load_rules
from auditstream.settings import load_settings
from auditstream.store.append import LATER
from auditstream.store.arrow import arrow_input, one_block
from auditstream.store.connection import Store, connect
from auditstream.store.migrate import migrate
from auditstream.store.sealed import SENT, Sealed, seal
from auditstream.store.sql import moment
from tests.bench.bench_pipeline import make_batch
from tests.pipeline.events import NOW
from tests.pipeline.past import NoPast
from tests.stack.clickhouse import ClickHouseServer

UNCODED: Final = ", ".join(
    f"MODIFY COLUMN {column} REMOVE CODEC"
    for column in (
        "kafka_offset",
        "kafka_timestamp",
        "occurred_at",
        "source_epoch",
        "source_sequence",
        "event_id_minute",
    )
)
BARE: Final = (
    "DROP INDEX role_keys, DROP INDEX kafka_offsets, DROP PROJECTION event_ids, "
    "DROP PROJECTION watermarks"
)
LZ4: Final = "MODIFY SETTING default_compression_codec = 'LZ4'"
NO_FSYNC: Final = "MODIFY SETTING fsync_after_insert = 0, fsync_part_directory = 0"
VARIANTS: Final[dict[str, Sequence[str]]] = {
    "as it is": (),
    "without index role_keys": ("DROP INDEX role_keys",),
    "without index kafka_offsets": ("DROP INDEX kafka_offsets",),
    "without projection event_ids": ("DROP PROJECTION event_ids",),
    "without projection watermarks": ("DROP PROJECTION watermarks",),
    "without projection sources": ("DROP PROJECTION sources",),
    "without all four": (BARE,),
    **{
        f"without index {name} (merges make it)": (f"DROP INDEX {name}",)
        for name in LATER.split(",")
    },
    "LZ4, Delta kept": (LZ4,),
    "LZ4 alone": (LZ4, UNCODED),
    "without fsync": (NO_FSYNC,),
    "LZ4, without all four": (LZ4, BARE),
}
SORTED: Final = "as it is, sent in the table's order"
TURNS: Final = 3
"""Inserts timed together: processor time is told in hundredths of a second."""
READ: Final = "only read, not written (engine Null)"


def main() -> None:
    """Insert, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="variants whose name has this word")
    parser.add_argument("--extra", type=Path, help="further variants")
    arguments = parser.parse_args()
    variants = dict(VARIANTS)
    for line in arguments.extra.read_text().splitlines() if arguments.extra else ():
        name, _, alteration = line.partition(": ")
        variants[name] = (alteration,)
    frame = events(arguments.rows)
    kafka, ordered = seal(frame), seal(in_order(frame))
    names = [name for name in (*variants, SORTED, READ) if arguments.only in name]
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(ClickHouseServer(directory))
        store = stack.enter_context(connect(load_settings(clickhouse_url=server.url)))
        migrate(store, 0)
        tables = {name: f"audit.variant_{number}" for number, name in enumerate(names)}
        for name, table in tables.items():
            make(store, table, variants.get(name, ()), name == READ)
            store.command(f"SYSTEM STOP MERGES {table}")
        costs: dict[str, list[float]] = {name: [] for name in names}
        for number in range(arguments.rounds + 1):
            for name, table in tables.items():
                body = ordered if name == SORTED else kafka
                token = f"{name} {number}"
                took = [insert(store, table, body, f"{token} {turn}") for turn in range(TURNS)]
                if number:
                    costs[name].append(sum(took) / TURNS / arguments.rows)
        base = statistics.median(costs[names[0]])
        for name, found in costs.items():
            fresh, middle = size(store, tables[name]), statistics.median(found)
            store.command(f"SYSTEM START MERGES {tables[name]}")
            inserted = arguments.rows * TURNS * (arguments.rounds + 1)
            merged = merge(store, tables[name]) / inserted if name != READ else 0.0
            print(
                f"{name:40}{min(found):7.2f}{middle:7.2f} µs{middle - base:+7.2f} "
                f"({(middle - base) / base:+.0%}) {fresh:5.0f} bytes; merged once "
                f"{merged:6.2f} µs, {size(store, tables[name]):5.0f} bytes"
            )


def events(rows: int) -> pl.DataFrame:
    """Return events of the catalogue's mix as the pipeline makes them."""
    pipeline = Pipeline(shipped_catalogue(), load_rules().rules, clock=lambda: NOW)
    return pipeline.process(make_batch(rows, 1), NoPast()).events


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Return events in the order of the table, with offsets that ascend."""
    ordered = frame.sort("workspace_id", "occurred_at", "event_id")
    return ordered.with_columns(kafka_offset=frame["kafka_offset"])


def make(store: Store, table: str, alterations: Sequence[str], null: bool) -> None:
    """Make a table like that of events, and alter it."""
    engine = "ENGINE = Null EMPTY AS SELECT * FROM audit.events" if null else "AS audit.events"
    store.command(f"CREATE TABLE {table} {engine}")
    for alteration in alterations:
        store.command(f"ALTER TABLE {table} {alteration}")


def insert(store: Store, table: str, events: Sealed, token: str) -> float:
    """Insert events; return the microseconds of processor time it took the server."""
    month = f"toDate('{NOW:%Y-%m}-01')"
    arrived = moment(events.arrived + timedelta(seconds=1))
    statement = (
        f"INSERT INTO {table} ({', '.join(SENT)}, ingested_at, partition_month) "
        f"SELECT *, {arrived}, {month} FROM {arrow_input(SENT)} FORMAT ArrowStream"
    )
    before = processor_time()
    settings = one_block(token, 60)
    settings["exclude_materialize_skip_indexes_on_insert"] = LATER
    store.insert_arrow(statement, events.body, settings)
    return processor_time() - before


def merge(store: Store, table: str) -> float:
    """Merge all parts of a table into one; return the microseconds of processor time it took."""
    before = processor_time()
    store.command(f"OPTIMIZE TABLE {table} FINAL", {"max_execution_time": 120})
    return processor_time() - before


def processor_time() -> float:
    """Return the microseconds of processor time that the server has taken so far."""
    used = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return sum(times.user + times.system for times in used) * 1e6


def size(store: Store, table: str) -> float:
    """Return bytes on disk a row, projections and indexes included."""
    name = table.partition(".")[2]
    found = store.query_frame(
        "SELECT sum(bytes_on_disk) / greatest(sum(rows), 1) FROM system.parts "
        f"WHERE active AND table = '{name}'"
    )
    return float(found.item())


if __name__ == "__main__":
    main()
