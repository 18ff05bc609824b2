"""What a worker raises on a table of old events: `python -m tests.bench.bench_onboarding`.

On a real ClickHouse with `--rows` events of 90 days, in which the built-in rules have never been
evaluated, it does what a worker does: catch up on a partition, look at the clock, evaluate an
append. Prints how many alerts each gives and how long it takes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

from auditstream.contract.alert import Alert
from auditstream.rules.load import load_rules
from auditstream.store.append import append_events
from auditstream.store.columns import EVENTS
from auditstream.store.connection import Store
from auditstream.store.migrate import migrate
from auditstream.worker.correlator import CATCH_UP, Correlator
from tests.stack.clickhouse import ClickHouseServer
from tests.store.conftest import store_at
from tests.store.rows import STREAM, event_rows

SAMPLE = 20_000
DAYS = 90
APPENDED = 100


@dataclass(frozen=True)
class Onboarding:
    """The alerts of each step, how many events the first looked at, and the seconds of each."""

    recent: int
    caught_up: Sequence[Alert]
    by_clock: Sequence[Alert]
    after_append: Sequence[Alert]
    new_ids: frozenset[str]
    seconds: tuple[float, float, float]


def onboard(store: Store, rows: int) -> Onboarding:
    """Fill the empty tables with old events, about `rows`, and start on them."""
    now = datetime.now(UTC)
    offset = fill(store, rows, now - timedelta(hours=1))
    recent = store.query_frame(
        f"SELECT countIf(ingested_at >= last - {CATCH_UP.total_seconds():.0f}) FROM "
        f"{store.database}.events CROSS JOIN (SELECT max(ingested_at) AS last FROM "
        f"{store.database}.events) AS newest"
    ).item()
    correlator = Correlator(store, load_rules())
    caught_up, first = timed(lambda: correlator.catch_up(STREAM, 0, now))
    by_clock, second = timed(lambda: correlator.due(now, now))
    frame = event_rows(APPENDED, first=offset, seed=offset, start=now, workspaces=200)
    append_events(store, STREAM, 0, offset - 1, frame, Event())
    candidates = correlator.candidates(frame)
    assert candidates is not None
    rowset = correlator.joined([candidates])
    after_append, third = timed(lambda: correlator.evaluate(rowset, now))
    ids = frozenset(frame["event_id"])
    return Onboarding(recent, caught_up, by_clock, after_append, ids, (first, second, third))


def fill(store: Store, rows: int, until: datetime) -> int:
    """Store events that repeat a sample over and over; return the next offset.

    They have arrived when they happened, evenly over the days before `until`.
    """
    copies = max(1, rows // SAMPLE)
    sample = event_rows(SAMPLE, stream="sample", workspaces=200)
    append_events(store, "sample", 0, None, sample, Event())
    events = f"{store.database}.events"
    apart = timedelta(days=DAYS) / (copies * SAMPLE) / timedelta(microseconds=1)
    since = (until - timedelta(days=DAYS)).timestamp()
    place = f"kafka_offset + n.number * {SAMPLE}"
    moment = f"fromUnixTimestamp64Micro(toInt64({since} * 1e6 + ({place}) * {apart}), 'UTC')"
    replaced = {
        "stream": f"'{STREAM}'",
        "event_id": "generateUUIDv4()",
        "kafka_offset": place,
        "occurred_at": moment,
        "ingested_at": f"{moment} + toIntervalSecond(1)",
    }
    columns = ", ".join(replaced.get(name, name) for name in EVENTS)
    store.command(
        f"INSERT INTO {events} ({', '.join(EVENTS)}, partition_month) "
        f"SELECT {columns}, toStartOfMonth({moment}) FROM {events} "
        f"CROSS JOIN numbers({copies}) AS n WHERE stream = 'sample'"
    )
    return copies * SAMPLE


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        ClickHouseServer(Path(directory)) as server,
        store_at(server.url, "bench", 300.0) as store,
    ):
        migrate(store, 0)
        done = onboard(store, arguments.rows)
    print(f"{arguments.rows:,} old events, of which {done.recent:,} arrived last")
    steps = {
        "catching up": done.caught_up,
        "by the clock": done.by_clock,
        f"appending {APPENDED}": done.after_append,
    }
    for (name, alerts), seconds in zip(steps.items(), done.seconds, strict=True):
        rules = sorted({alert.rule_id for alert in alerts})
        print(f"{name:14}: {len(alerts):5,} alerts in {1_000 * seconds:,.0f} ms {rules}")


def timed(call: Callable[[], tuple[Alert, ...]]) -> tuple[tuple[Alert, ...], float]:
    """Return the result of a call and its seconds."""
    since = time.perf_counter()
    return call(), time.perf_counter() - since


if __name__ == "__main__":
    main()
