"""Run a worker until it is told to stop."""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
import threading
import time
from contextlib import closing
from typing import Final

import faust
import structlog
from prometheus_client import start_http_server

from auditstream.pipeline.pipeline import Pipeline
from auditstream.settings import Settings
from auditstream.store.connection import connect
from auditstream.worker.app import Reading, make_app
from auditstream.worker.intake import Intake
from auditstream.worker.registry import schema_source
from auditstream.worker.rule_book import RuleBook
from auditstream.worker.watch import watched

STOP_MARGIN: Final = 3.0
SWITCH_SECONDS: Final = 0.0005
GARBAGE_OBJECTS: Final = 50_000


def run(settings: Settings) -> None:
    """Run one worker; blocks until SIGTERM or SIGINT, then drains and exits the process with 0.

    Raises:
        ConfigurationError: a setting names a file that is missing or wrong.
        ContractError: the catalogue is wrong.
        SystemExit: at the end; not 0 when the worker failed.
    """
    configure_logs()
    if settings.metrics_port:
        start_http_server(settings.metrics_port, "127.0.0.1")
    pipeline = Pipeline.from_settings(settings, schema_source(settings), rules=())
    store = connect(settings)
    rules = RuleBook(settings.rules_dir, pipeline, store, settings.builtin_level)
    with tempfile.TemporaryDirectory(prefix="auditstream-") as datadir, closing(store):
        intake = Intake(settings, store, rules)
        app = make_app(settings, intake, datadir)
        # What was imported stays: no collection need look at it again.
        gc.freeze()
        # Records of a fetch are many objects and no garbage: few collections, not one each 700.
        gc.set_threshold(GARBAGE_OBJECTS)
        # Polars gives up the interpreter's lock in every expression, and each time it would wait
        # 5 ms for another thread to give it up.
        sys.setswitchinterval(SWITCH_SECONDS)
        worker = faust.Worker(
            app, Reading(intake), loglevel="WARNING", quiet=True, override_logging=False
        )
        limit = settings.drain_seconds + STOP_MARGIN
        threading.Thread(target=end_in_time, args=(worker, intake, limit), daemon=True).start()
        with watched(settings, store, intake, rules):
            worker.execute_from_commandline()


def end_in_time(worker: faust.Worker, intake: Intake, limit: float) -> None:
    """End the process when Faust does not, `limit` seconds after it was told to stop.

    Faust waits for its own group, which can take as long as the session, or for ever. What this
    worker holds is settled or abandoned before; the exit code is 0 when nothing was abandoned.
    """
    while not worker.should_stop:
        time.sleep(0.2)
    time.sleep(limit)
    os._exit(1 if intake.busy else 0)


def configure_logs() -> None:
    """Write logs to standard error: for people on a terminal, as JSON lines elsewhere."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    render: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    # What aiokafka cannot settle by itself, Faust reports.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
