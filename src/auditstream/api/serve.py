"""Serving the endpoint until the process is asked to end."""

from __future__ import annotations

import logging
import signal
import socket
from types import FrameType
from typing import Final, NoReturn

import uvicorn

from auditstream.api.app import make_api
from auditstream.settings import Settings

GRACE_SECONDS: Final = 10
CONNECTIONS: Final = 2_000


def server_of(settings: Settings) -> uvicorn.Server:
    """Return a server of the endpoint on the address of the settings, not started yet.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    return uvicorn.Server(
        uvicorn.Config(
            make_api(settings),
            host=settings.api_host,
            port=settings.api_port,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=30,
            h11_max_incomplete_event_size=65_536,
        )
    )


def run(settings: Settings, fd: int | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way have 10 s to end.

    `fd` is an inherited socket that listens already, in place of the address of the settings.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    for library in ("uvicorn.error", "httpx"):
        logging.getLogger(library).setLevel(logging.WARNING)
    server = server_of(settings)
    # The server takes signals while it runs, and raises them again when it has ended in order.
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, _end)
    server.run(None if fd is None else [socket.socket(fileno=fd)])


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)
