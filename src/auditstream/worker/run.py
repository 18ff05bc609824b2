"""Run a worker until it is told to stop."""

from __future__ import annotations

import gc
import logging
import sys
import tempfile
from contextlib import closing

import faust
import structlog
from prometheus_client import start_http_server

from auditstream.pipeline.pipeline import Pipeline
from auditstream.settings import Settings
from auditstream.store.connection import connect
from auditstream.worker.app import make_app
from auditstream.worker.intake import Intake
from auditstream.worker.registry import schema_source


def run(settings: Settings) -> None:
    """Run one worker; blocks until SIGTERM or SIGINT, then drains and exits the process with 0.

    Raises:
        ConfigurationError: a setting names a file that is missing or wrong.
        RuleError, ContractError: a rule or the catalogue is wrong.
        SystemExit: at the end; not 0 when the worker failed.
    """
    configure_logs()
    if settings.metrics_port:
        start_http_server(settings.metrics_port, "127.0.0.1")
    pipeline = Pipeline.from_settings(settings, schema_source(settings))
    store = connect(settings)
    with tempfile.TemporaryDirectory(prefix="auditstream-") as datadir, closing(store):
        app = make_app(settings, Intake(settings, store, pipeline), datadir)
        # What was imported stays: no collection need look at it again.
        gc.freeze()
        worker = faust.Worker(app, loglevel="WARNING", quiet=True, override_logging=False)
        worker.execute_from_commandline()


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
