"""Serving the endpoint until the process is asked to end."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from functools import partial
from types import FrameType
from typing import Final, NoReturn

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from auditstream.api.app import make_api
from auditstream.settings import Settings

GRACE_SECONDS: Final = 10
CONNECTIONS: Final = 2_000
SWITCH_SECONDS: Final = 0.000_5
"""Threads that answer take turns so often; Python's own 5 ms would be most of an answer's time."""


def run(settings: Settings, fd: int | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way have 10 s to end.

    `fd` is an inherited socket that listens already, in place of the address of the settings. With
    more than one worker, each is a process of its own, and one that dies is replaced.

    Raises:
        ConfigurationError: a setting is wrong.
        SystemExit: the address is taken, or a worker cannot start.
    """
    config = uvicorn.Config(
        partial(_app, settings),
        factory=True,
        host=settings.api_host,
        port=settings.api_port,
        workers=settings.api_workers,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=65_536,
    )
    sockets = [config.bind_socket() if fd is None else socket.socket(fileno=fd)]
    if settings.api_workers > 1:
        make_api(settings)  # what is wrong with the settings is told once, and not by each worker
        workers = Multiprocess(config, sockets)
        workers.run()
        if any(worker.exitcode == uvicorn.config.STARTUP_FAILURE for worker in workers.processes):
            raise SystemExit(1)
        return
    # The server takes signals while it runs, and raises them again when it has ended in order.
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, _end)
    uvicorn.Server(config).run(sockets)


def _app(settings: Settings) -> FastAPI:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    for library in ("uvicorn.error", "httpx"):
        logging.getLogger(library).setLevel(logging.WARNING)
    sys.setswitchinterval(SWITCH_SECONDS)
    return make_api(settings)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)
