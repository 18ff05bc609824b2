"""How soon the log page is painted in a real browser.

    python -m tests.bench.bench_explorer [--events 1000000] [--loads 15]

Loads events of one workspace into a real ClickHouse, starts `auditstream api` as a process of its
own, signs in with headless Chromium, and opens the log again and again: all of it, a month, and
with filters. Prints what the browser says of each load: the first byte and the first contentful
paint. ClickHouse, endpoint and browser share the machine; styles and scripts come from the
browser's cache after the first load, which is told apart.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from auditstream.api.issue import create_token
from auditstream.settings import load_settings
from auditstream.store.connection import connect
from auditstream.store.migrate import migrate
from tests.api.explorer.conftest import sign_in
from tests.bench.bench_api import endpoint
from tests.bench.workspaces import Size, fill
from tests.stack.clickhouse import ClickHouseServer

_TIMES = """() => new Promise(done => new PerformanceObserver(list => {
  const paint = list.getEntries().find(entry => entry.name === "first-contentful-paint");
  if (paint) done([performance.getEntriesByType("navigation")[0].responseStart, paint.startTime]);
}).observe({type: "paint", buffered: true}))"""
_PATHS = {
    "all": "/log",
    "a month": "/log?since=2026-05-01&until=2026-06-01",
    "high severity": "/log?severity=high",
    "an actor": "/log?actor=person_3",
    "text": "/log?text=quarterly",
}


def measure(page: Page, name: str, path: str, loads: int) -> None:
    """Open a page so often and print its times."""
    times: list[tuple[float, float]] = []
    for _ in range(loads):
        page.goto(path)
        times.append(page.evaluate(_TIMES))
    byte = statistics.median(first for first, _ in times)
    paints = sorted(paint for _, paint in times)
    print(
        f"{name}: first byte {byte:.0f} ms, first paint median {statistics.median(paints):.0f} ms, "
        f"worst {paints[-1]:.0f} ms"
    )


def main() -> None:
    """Run it and print the figures."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--loads", type=int, default=15)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name, ClickHouseServer(Path(name) / "ch") as server:
        with connect(load_settings(clickhouse_url=server.url)) as store:
            migrate(store, 0)
            started = time.perf_counter()
            for rows in fill(store, Size(given.events, given.events)):
                print(f"{rows:,} events after {time.perf_counter() - started:.0f} s")
            issued = create_token(
                store,
                workspace_id="w000000",
                workspace_username="workspace-0",
                name="bench",
                scopes=("read", "export"),
                by="bench",
                now=datetime.now(UTC),
            )
        with endpoint(server.url, Path(name)) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_context(base_url=address).new_page()
            sign_in(page, issued)
            first, paint = page.evaluate(_TIMES)
            print(f"after sign-in, nothing cached: first byte {first:.0f}, paint {paint:.0f} ms")
            for title, path in _PATHS.items():
                measure(page, title, path, given.loads)
            browser.close()


if __name__ == "__main__":
    main()
