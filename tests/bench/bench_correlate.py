"""What rules over several events cost: `python -m tests.bench.bench_correlate [--rows N] …`.

On a real ClickHouse with `--rows` events of 90 days in 200 workspaces it prints, for 20 rules,
milliseconds of `CorrelationEngine.evaluate` for appends of several sizes, at best, in the median
and at worst; then seconds for a query of each kind over the whole history.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import TypeVar

from auditstream.rules.correlation.compile import to_sql
from auditstream.rules.correlation.engine import CorrelationEngine
from auditstream.store.append import append_events
from auditstream.store.columns import EVENTS
from auditstream.store.connection import Store
from auditstream.store.correlate import asker
from auditstream.store.migrate import migrate
from tests.rules.correlation.documents import correlation, extension, linked
from tests.stack.clickhouse import ClickHouseServer
from tests.store.conftest import store_at
from tests.store.rows import START, STREAM, event_rows

T = TypeVar("T")

SAMPLE = 20_000
DAYS = 90
ACTIONS = {
    "invited": ["org_user_invited"],
    "removed": ["group_member_removed", "collection_member_removed", "connection_member_removed"],
    "deleted": ["group_deleted", "collection_deleted", "connection_deleted"],
    "created": ["group_created", "connection_created"],
    "filled": ["group_member_added"],
    "granted": ["connection_group_added_with_role", "connection_member_added_with_role"],
    "read": ["audit_log_accessed"],
}
PREDICATES = {
    name: f"e.action IN ({', '.join(repr(action) for action in actions)})"
    for name, actions in ACTIONS.items()
}
BY_ACTOR = ["workspace_id", "actor_id"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        ClickHouseServer(Path(directory)) as server,
        store_at(server.url, "bench", 300.0) as store,
    ):
        migrate(store, 0)
        fill(store, arguments.rows)
        print(f"{arguments.rows} events, {DAYS} days, {len(RULES)} rules, of each kind")
        measure_appends(store, arguments.rows, arguments.rounds)
        measure_history(store)


def fill(store: Store, rows: int) -> None:
    """Store events that repeat a sample over and over, at other times."""
    copies = max(1, rows // SAMPLE)
    sample = event_rows(SAMPLE, stream="sample", workspaces=200)
    append_events(store, "sample", 0, None, sample, Event())
    events = f"{store.database}.events"
    apart = timedelta(days=DAYS) // copies
    replaced = {
        "stream": f"'{STREAM}'",
        "event_id": "generateUUIDv4()",
        "kafka_offset": f"kafka_offset + number * {SAMPLE}",
        "occurred_at": f"occurred_at + toIntervalMicrosecond(toInt64(kafka_offset * "
        f"{apart / timedelta(microseconds=SAMPLE):.0f} + number * {apart.total_seconds()} * 1e6))",
    }
    columns = ", ".join(replaced.get(name, name) for name in EVENTS)
    store.command(
        f"INSERT INTO {events} ({', '.join(EVENTS)}, partition_month) "
        f"SELECT {columns}, partition_month FROM {events} CROSS JOIN numbers({copies}) AS n "
        "WHERE stream = 'sample'"
    )
    store.command(f"OPTIMIZE TABLE {events} FINAL")


def measure_appends(store: Store, rows: int, rounds: int) -> None:
    """Append batches at the end of the history and evaluate each."""
    engine = CorrelationEngine(LINKED, PREDICATES, asker(store), store.database)
    offset = rows
    now = START + timedelta(days=DAYS)
    for size in (10, 100, 1_000, 20_000):
        times = []
        matches = 0
        for number in range(rounds):
            frame = event_rows(size, first=offset, seed=offset, start=now, workspaces=200)
            append_events(store, STREAM, 0, offset - 1, frame, Event())
            offset += size
            now += timedelta(seconds=30)
            hits = {name: frame["action"].is_in(actions) for name, actions in ACTIONS.items()}
            seconds, found = timed(partial(engine.evaluate, frame, hits))
            matches += len(found)
            if number:
                times.append(1_000 * seconds)
        print(
            f"append of {size:6} events: {min(times):7.1f} {statistics.median(times):7.1f} "
            f"{max(times):7.1f} ms, {matches / rounds:.1f} matches"
        )


def measure_history(store: Store) -> None:
    """Evaluate each rule over everything."""
    ask = asker(store, max_seconds=300.0, max_bytes=8 << 30)
    for rule in LINKED.rules.values():
        until = START + timedelta(days=2 * DAYS)
        sql = to_sql(rule, PREDICATES, START, until, database=store.database, linked=LINKED)
        seconds, found = timed(partial(ask, sql))
        print(f"history, {rule.header.name:20} {seconds:6.2f} s, {found.height} alerts")


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Return how long a call took, in seconds, and its result."""
    since = time.perf_counter()
    result = call()
    return time.perf_counter() - since, result


RULES = [
    *(
        correlation(
            f"many_{name}",
            type="event_count",
            rules=[name],
            group_by=BY_ACTOR,
            timespan="10m",
            condition={"gte": 5},
        )
        for name in ACTIONS
    ),
    *(
        correlation(
            f"spread_{name}",
            type="value_count",
            rules=[name],
            group_by=["workspace_id"],
            timespan="5m",
            condition={"gte": 10, "field": "entity_id"},
        )
        for name in ("removed", "deleted", "granted", "read")
    ),
    correlation(
        "together", type="temporal", rules=["created", "granted"], group_by=BY_ACTOR, timespan="1h"
    ),
    correlation(
        "three",
        type="temporal",
        rules=["created", "filled", "read"],
        group_by=BY_ACTOR,
        timespan="1h",
    ),
    correlation(
        "then",
        type="temporal_ordered",
        rules=["granted", "removed"],
        group_by=BY_ACTOR,
        timespan="10m",
    ),
    correlation(
        "steps",
        type="temporal_ordered",
        rules=["created", "filled", "granted"],
        group_by=BY_ACTOR,
        timespan="1h",
    ),
    correlation(
        "chain",
        type="temporal_ordered",
        rules=["many_removed", "deleted"],
        group_by=["workspace_id"],
        timespan="1h",
    ),
    correlation(
        "anywhere",
        type="event_count",
        rules=["deleted"],
        group_by=["actor_ip"],
        timespan="5m",
        condition={"gte": 5},
    ),
    extension(
        "new_granter",
        "first_seen",
        rules=["granted"],
        values=["actor_id"],
        group_by=["workspace_id"],
        new_groups=True,
    ),
    extension(
        "new_address",
        "first_seen",
        rules=["granted", "deleted"],
        values=["actor_ip"],
        group_by=BY_ACTOR,
    ),
    extension(
        "unused",
        "absence",
        after=["created"],
        expected=["filled", "granted"],
        group_by=["workspace_id", "entity_id"],
        timespan="1d",
    ),
]
LINKED = linked(RULES, list(ACTIONS))

if __name__ == "__main__":
    main()
