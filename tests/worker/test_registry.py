"""Writer schemas from a registry."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from auditstream.contract.schemas import load_schema
from auditstream.errors import ServiceUnavailableError
from auditstream.settings import Settings
from auditstream.worker.registry import schema_source


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path.startswith("/schemas/ids/7")
        if "/999" in self.path:
            self._answer(500, {"error_code": 50_001, "message": "broken"})
        elif known:
            self._answer(200, {"schema": json.dumps(load_schema("audit_event"))})
        else:
            self._answer(404, {"error_code": 40_403, "message": "Schema not found"})

    def _answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    """A registry that knows schema 7."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_no_registry() -> None:
    """Without a registry the shipped ids hold."""
    assert schema_source(Settings()) is None


def test_known_and_unknown(url: str) -> None:
    """A known id gives its schema, an unknown one nothing."""
    source = schema_source(Settings(schema_registry_url=url))
    assert source is not None
    assert source(7) == load_schema("audit_event")
    assert source(8) is None


@pytest.mark.parametrize("address", [None, "http://127.0.0.1:9"])
def test_registry_that_does_not_work(url: str, address: str | None) -> None:
    """A registry that is broken or away is waited for, not taken for an answer."""
    source = schema_source(Settings(schema_registry_url=address or url))
    assert source is not None
    with pytest.raises(ServiceUnavailableError, match="schema registry"):
        source(999)
