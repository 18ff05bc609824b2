"""How soon each page of the explorer is painted in a real browser.

    python -m tests.bench.bench_explorer [--events 1000000] [--loads 9] [--page NAME …]

Loads events of one workspace with 20,000 alerts and 5,000 rejected records into a real ClickHouse,
starts `auditstream api` as a process of its own, signs in with headless Chromium, and opens every
page again and again. Prints what the browser says of each: the first byte and the first contentful
paint; and for people and things, when who reaches what is there, which follows. ClickHouse,
endpoint and browser share the machine, whose load is told before and after; styles and scripts come
from the browser's cache after the first load, which is told apart.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from auditstream.api.issue import create_token
from auditstream.settings import load_settings
from auditstream.store.connection import Store, connect
from auditstream.store.migrate import migrate
from auditstream.store.tokens import SCOPES
from tests.api.explorer.conftest import sign_in
from tests.bench.bench_api import endpoint
from tests.bench.workspaces import Size, fill
from tests.stack.clickhouse import ClickHouseServer

ALERTS = 20_000
REJECTS = 5_000
WORKSPACE = "w000000"
BAR_MILLISECONDS = 500

_TIMES = """() => new Promise(done => new PerformanceObserver(list => {
  const paint = list.getEntries().find(entry => entry.name === "first-contentful-paint");
  if (paint) done([performance.getEntriesByType("navigation")[0].responseStart, paint.startTime]);
}).observe({type: "paint", buffered: true}))"""


_FOLLOWS = "#access[aria-busy]"
"""What a page gets after it was painted."""


def add_alerts(store: Store) -> None:
    """Let every so many events have an alert; a half of them was acknowledged."""
    database = store.database
    store.command(
        f"INSERT INTO {database}.alerts (alert_id, rule_id, rule_title, rule_hash, level, "
        "sentence, reason, runbook, group_key, workspace_id, workspace_username, actor, entity, "
        "action, occurred_at, detected_at, event_count, evidence) "
        "SELECT generateUUIDv4(e.event_id), 'rule_' || cityHash64(e.action) % 27, "
        "'Rule ' || cityHash64(e.action) % 27, 'hash', e.severity, e.sentence, 'It matters.', "
        "'role_escalation', toString(e.event_id), e.workspace_id, e.workspace_username, "
        "ifNull(e.actor_username, ''), e.entity_id, e.action, e.occurred_at, e.ingested_at, 1, "
        "[(e.event_id, e.kafka_topic, e.kafka_partition, e.kafka_offset)] "
        f"FROM {database}.events AS e WHERE e.workspace_id = '{WORKSPACE}' "
        f"ORDER BY cityHash64(e.event_id) LIMIT {ALERTS}"
    )
    store.command(
        f"INSERT INTO {database}.alert_transitions (alert_id, number, at, state, by, reason) "
        "SELECT a.alert_id, 1, a.detected_at, 'acknowledged', 'somebody', '' "
        f"FROM {database}.alerts AS a WHERE cityHash64(a.alert_id) % 2 = 0"
    )
    store.command(
        f"INSERT INTO {database}.alert_hits (alert_id, at, event_count, event_ids, partition, "
        "offset) SELECT a.alert_id, a.detected_at, 1, [toString(a.evidence[1].1)], 0, "
        f"rowNumberInAllBlocks() FROM {database}.alerts AS a"
    )


def add_rejects(store: Store) -> None:
    """Reject records under the workspace's key."""
    store.command(
        f"INSERT INTO {store.database}.rejected_events (stream, kafka_topic, kafka_partition, "
        "kafka_offset, key, value, reason, field, message, rejected_at) SELECT "
        f"'bench/audit.events/1', 'audit.events', 0, 10000000 + number, '{WORKSPACE}', "
        "randomString(400), ['unknown_role', 'too_long', 'truncated'][1 + number % 3], 'role', "
        "'what is wrong', toDateTime64('2026-06-01 00:00:00', 6, 'UTC') + toIntervalSecond(number) "
        f"FROM numbers({REJECTS})"
    )


def pages(store: Store) -> dict[str, str]:
    """Return the address of each page, about what there is much of."""
    event = store.query_frame(
        f"SELECT toString(a.evidence[1].1), toString(a.alert_id) FROM {store.database}.alerts AS a "
        "ORDER BY a.occurred_at DESC LIMIT 1"
    ).row(0)
    return {
        "log": "/log",
        "log of a month": "/log?since=2026-05-01&until=2026-06-01",
        "log, high severity": "/log?severity=high",
        "log of an actor": "/log?actor=person_3",
        "log, text": "/log?text=quarterly",
        "event": f"/events/{event[0]}",
        "actor": f"/actor?id={WORKSPACE}-u3",
        "connection": f"/entity?id={WORKSPACE}-c1",
        "collection": f"/entity?id={WORKSPACE}-k1",
        "group": f"/entity?id={WORKSPACE}-g1",
        "alerts": "/alerts",
        "alerts of a rule": "/alerts?state=all&rule=rule_3&level=low",
        "alert": f"/alerts/{event[1]}",
        "questions": "/questions",
        "completeness": "/completeness",
        "rejects": "/rejects",
        "reject": "/rejects/0:10000007",
    }


def measure(page: Page, name: str, path: str, loads: int) -> None:
    """Open a page so often and print its times."""
    times: list[tuple[float, float]] = []
    followed: list[float] = []
    for _ in range(loads):
        answer = page.goto(path)
        assert answer
        assert answer.status == 200, path
        times.append(page.evaluate(_TIMES))
        if page.locator(_FOLLOWS).count():
            page.locator(f"{_FOLLOWS}[aria-busy=false]").wait_for()
            followed.append(page.evaluate("performance.now()"))
    byte = statistics.median(first for first, _ in times)
    paints = sorted(paint for _, paint in times)
    median = statistics.median(paints)
    print(
        f"{name:<20} first byte {byte:5.0f} ms, first paint median {median:5.0f} ms, "
        f"worst {paints[-1]:5.0f} ms{'' if median < BAR_MILLISECONDS else '  MISSED'}"
        + (f", access after {statistics.median(followed):5.0f} ms" if followed else ""),
        flush=True,
    )


def main() -> None:
    """Run it and print the figures."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--loads", type=int, default=9)
    arguments.add_argument("--page", action="append", default=[])
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name, ClickHouseServer(Path(name) / "ch") as server:
        with connect(load_settings(clickhouse_url=server.url)) as store:
            migrate(store, 0)
            started = time.perf_counter()
            for rows in fill(store, Size(given.events, given.events)):
                print(f"{rows:,} events after {time.perf_counter() - started:.0f} s")
            add_alerts(store)
            add_rejects(store)
            issued = create_token(
                store,
                workspace_id=WORKSPACE,
                workspace_username="workspace-0",
                name="bench",
                scopes=SCOPES,
                by="bench",
                now=datetime.now(UTC),
            )
            wanted = pages(store)
        with endpoint(server.url, Path(name), 1) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_context(base_url=address).new_page()
            sign_in(page, issued)
            first, paint = page.evaluate(_TIMES)
            print(f"after sign-in, nothing cached: first byte {first:.0f}, paint {paint:.0f} ms")
            print(f"load of the machine: {os.getloadavg()[0]:.1f}")
            for title, path in wanted.items():
                if not given.page or title in given.page:
                    measure(page, title, path, given.loads)
            print(f"load of the machine: {os.getloadavg()[0]:.1f}")
            browser.close()


if __name__ == "__main__":
    main()
