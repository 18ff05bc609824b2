"""A schema registry as Confluent's protocol has it, as far as a producer needs it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Registry(ThreadingHTTPServer):
    """Keeps schemas by subject; `requests` are the paths asked for."""

    def __init__(self, port: int) -> None:
        self.schemas: dict[tuple[str, str], int] = {}
        self.requests: list[str] = []
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(self.path.partition("?")[0])
        _, _, subject, *register = self.path.partition("?")[0].split("/")
        key = subject, json.dumps(json.loads(body["schema"]), sort_keys=True)
        known = self.server.schemas
        if register:
            known.setdefault(key, 40_000 + len(known))
        if key in known:
            answer = {"subject": subject, "version": 1, "id": known[key], "schema": body["schema"]}
            self._answer(200, answer)
        else:
            self._answer(404, {"error_code": 40403, "message": "Schema not found"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running_registry(port: int = 0) -> Iterator[Registry]:
    """Run a registry, empty, on a free port unless one is given."""
    with Registry(port) as registry:
        thread = threading.Thread(target=registry.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield registry
        finally:
            registry.shutdown()
            thread.join()
