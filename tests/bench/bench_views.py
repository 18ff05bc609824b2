"""How fast views answer: `python -m tests.bench.bench_views [--events N] [--only WORD]`.

Starts a ClickHouse server, fills it with N events of 3,000 workspaces over three years, of which
the largest has `--largest`, and prints for each question to that largest workspace the milliseconds
at best and in the median, rows read, and the bar. 20 million events take about two minutes and
3 GB, 100 million about twelve to twenty and 13 GB. `--extra FILE` runs statements of that file,
for example ALTER TABLE audit.events ADD INDEX, before the table is filled: their cost is the time
it takes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from auditstream.errors import StoreError
from auditstream.settings import load_settings
from auditstream.store.connection import Store, connect
from auditstream.store.migrate import migrate
from tests.bench.workspaces import Size, fill
from tests.stack.clickhouse import ClickHouseServer

W: Final = "workspace_id = 'w000000'"
ACTOR: Final = "actor_id = 'w000000-u77'"
DAYS: Final = "BETWEEN '2026-05-01 00:00:00' AND '2026-05-31 00:00:00'"
SPAN: Final = "since = '2026-05-01 00:00:00', until = '2026-05-31 00:00:00'"
AT: Final = "'2026-05-03 00:00:00'"
AS_OF: Final = (
    "valid_from <= '2026-05-03 00:00:00' "
    "AND (valid_until IS NULL OR valid_until > '2026-05-03 00:00:00')"
)
PAGE: Final = "ORDER BY occurred_at DESC LIMIT 1000"
CHANGES: Final = (
    "role_changes",
    "membership_changes",
    "group_changes",
    "collection_changes",
    "connection_changes",
    "permission_changes",
    "audit_log_accesses",
)
TEXT: Final = "(hasAllTokens(sentence, '{0}') OR hasAllTokens(metadata.value, '{0}')) LIMIT 100"

QUESTIONS: Final[dict[str, tuple[str, float]]] = {
    **{f"{v}, 30 days": (f"{v} WHERE {W} AND occurred_at {DAYS} {PAGE}", 200) for v in CHANGES},
    **{f"{v}, actor": (f"{v} WHERE {W} AND {ACTOR} {PAGE}", 1000) for v in CHANGES},
    **{f"{v}, actor anywhere": (f"{v} WHERE {ACTOR} {PAGE}", 1000) for v in CHANGES},
    "activity_by_hour, 30 days": (f"activity_by_hour WHERE {W} AND hour {DAYS}", 200),
    "actor_profile, actor": (f"actor_profile WHERE {W} AND {ACTOR}", 1000),
    "actor_profile, actor anywhere": (f"actor_profile WHERE {ACTOR}", 1000),
    "actor_profile, seen in 30 days": (f"actor_profile WHERE {W} AND last_seen {DAYS}", 200),
    "first_and_last_seen, actor": (f"first_and_last_seen WHERE {W} AND {ACTOR}", 1000),
    "first_and_last_seen, 30 days": (f"first_and_last_seen WHERE {W} AND first_seen {DAYS}", 200),
    "sequence_gaps, 30 days": (f"sequence_gaps WHERE before {DAYS}", 200),
    "sequence_gaps_between, 30 days": (f"sequence_gaps_between({SPAN})", 200),
    "rejects, 30 days": (f"rejects WHERE {W} AND rejected_at {DAYS}", 200),
    **{
        f"{view}, 30 days": (f"{view}(workspace = 'w000000', {SPAN})", 200)
        for view in (
            "access_grants_between",
            "group_members_between",
            "actor_profile_between",
            "first_and_last_seen_between",
        )
    },
    "access_grants, 30 days": (f"access_grants WHERE {W} AND valid_from {DAYS}", 200),
    "access_grants, thing": (
        f"access_grants WHERE {W} AND entity_id = 'w000000-c7' AND {AS_OF}",
        1000,
    ),
    "access_grants, giver": (f"access_grants WHERE {W} AND granted_by_id = 'w000000-u77'", 1000),
    "group_members, 30 days": (f"group_members WHERE {W} AND valid_from {DAYS}", 200),
    "group_members, group": (f"group_members WHERE {W} AND group_id = 'w000000-g7'", 1000),
    **{
        f"effective_access_at, {kind} connection": (
            f"effective_access_at(workspace = 'w000000', entity = 'w000000-{thing}', at = {AT})",
            1000,
        )
        for kind, thing in (("busy", "c7"), ("usual", "c777"))
    },
    "effective_access, busy connection": (
        f"effective_access WHERE {W} AND entity_id = 'w000000-c7' AND {AS_OF}",
        1000,
    ),
    "effective_access, member": (
        f"effective_access WHERE {W} AND member_id = 'w000000-u7' AND {AS_OF}",
        1000,
    ),
    "text, one workspace": (f"events WHERE {W} AND {TEXT.format('SEC-8888')}", 1000),
    "text, anywhere": (f"events WHERE {TEXT.format('nowhere to be found')}", 1000),
}


def main() -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--largest", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0, help="bound of one query")
    parser.add_argument("--only", default="", help="questions whose name has this word")
    parser.add_argument("--extra", type=Path, help="statements to run before the table is filled")
    parser.add_argument("--directory", type=Path, help="of the server: kept, and filled once")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        kept = arguments.directory
        directory = kept or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = ClickHouseServer(directory)
        server.start()
        # Closing it would delete its data.
        stack.callback(server.stop if kept else server.close)
        settings = load_settings(clickhouse_url=server.url, append_timeout_seconds=120)
        store = stack.enter_context(connect(settings))
        migrate(store, 0)
        for statement in arguments.extra.read_text().split(";\n") if arguments.extra else ():
            store.command(statement)
        began = time.perf_counter()
        filled = store.query_frame(f"SELECT count() FROM {store.database}.events").item()
        size = Size(arguments.events, arguments.largest)
        for count in () if filled else fill(store, size):
            print(f"\r{count:,} events in {time.perf_counter() - began:.0f} s", end="", flush=True)
        print()
        for name, (rest, bar) in QUESTIONS.items():
            if arguments.only in name:
                print(f"{name:36}{measured(store, rest, bar, arguments.rounds, arguments.seconds)}")


def measured(store: Store, rest: str, bar: float, rounds: int, bound: float) -> str:
    """Return how long a question takes, and its bar in milliseconds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        try:
            store.query_raw(
                f"SELECT * FROM {rest}", "Null", {"max_execution_time": bound, "max_threads": 2}
            )
        except StoreError as error:
            return f"refused, code {error.code} (bar {bar:.0f} ms)"
        times.append((time.perf_counter() - began) * 1000)
    best, median = min(times), statistics.median(times)
    return f"{best:8.0f} ms {median:8.0f} ms in the median (bar {bar:.0f} ms)"


if __name__ == "__main__":
    main()
