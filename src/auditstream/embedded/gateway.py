"""The HTTP server in front of the engine: one thread a connection, one engine session a request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingTCPServer

from auditstream.embedded.engine import Engine
from auditstream.embedded.handler import Handler
from auditstream.embedded.statement_error import ABORTED, refused


class Gateway(ThreadingTCPServer):
    """Answers requests with `engine` from `serve_forever` on until `shutdown`."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], engine: Engine) -> None:
        self.engine = engine
        self._running = 0
        self._closing = False
        self._changed = threading.Condition()
        super().__init__(address, Handler)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the block as a running request. Raises StatementError once draining."""
        with self._changed:
            if self._closing:
                raise refused(ABORTED, "ABORTED", "The server is shutting down")
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """Refuse new requests and wait up to `seconds` for the running ones; True if none runs."""
        with self._changed:
            self._closing = True
            return self._changed.wait_for(lambda: self._running == 0, seconds)
