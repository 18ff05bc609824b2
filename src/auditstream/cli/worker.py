"""`auditstream worker`: from the topic to the table."""

from __future__ import annotations

import os

import typer

ALLOCATOR = "narenas:1"
"""For jemalloc, with which Polars comes: several arenas keep some 40 MB more and save no time."""

EXAMPLE = (
    "AUDITSTREAM_KAFKA_BROKERS=kafka-1:9092 "
    "AUDITSTREAM_CLICKHOUSE_URL=http://clickhouse-1:8123 auditstream worker"
)


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("worker", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(run_worker)


def run_worker() -> None:
    """Run a worker until SIGTERM or Ctrl-C: it reads events, checks, stores and alerts.

    Start as many as you like: they share the partitions. The tables must be there: see
    `auditstream migrate`. Settings come from the environment: see `auditstream config`.
    """
    # It is read once, when Polars is loaded.
    os.environ.setdefault("_RJEM_MALLOC_CONF", ALLOCATOR)
    from auditstream.settings import load_settings
    from auditstream.worker.reach import reach_kafka
    from auditstream.worker.run import run

    settings = load_settings()
    reach_kafka(settings)
    run(settings)
