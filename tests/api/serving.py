"""The endpoint on a port, in a thread of the test: for what needs a real connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from tests.stack.poll import eventually
from tests.stack.ports import free_port


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve the app on loopback; yield its address."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(
            app, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=5
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started, within=20.0, what="the endpoint to start")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20.0)
