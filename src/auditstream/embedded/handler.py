"""One connection of ClickHouse's HTTP interface."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from auditstream.embedded.answer import Answer, answer
from auditstream.embedded.body import Body
from auditstream.embedded.engine import Job
from auditstream.embedded.incoming import take_statement
from auditstream.embedded.request import read_form, read_request
from auditstream.embedded.statement_error import ACCESS_DENIED, StatementError, failed, refused

if TYPE_CHECKING:
    from auditstream.embedded.gateway import Gateway

_LOG = logging.getLogger(__name__)
_LOOPBACK_NAMES = {"127.0.0.1", "localhost", "::1"}
_LOGGED_CHARACTERS = 500
_TEXT = {"Content-Type": "text/plain; charset=UTF-8"}
_GET_SETTINGS = {"readonly": "2"}


class Handler(BaseHTTPRequestHandler):
    """Answers `/ping`, and statements at `/`: by POST, and those that only read by GET too."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 600.0

    def version_string(self) -> str:
        """Return the value of the header Server."""
        return "auditstream"

    def handle(self) -> None:
        """Answer the requests of the connection until it is closed, from whichever side."""
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """Answer a request that may only read."""
        self._answer(_GET_SETTINGS)

    def do_POST(self) -> None:
        """Answer a request that may do everything."""
        self._answer({})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base's name)
        """Log what the base class has to say."""
        _LOG.debug(format, *args)

    def _answer(self, imposed: Mapping[str, str]) -> None:
        path, query = urlsplit(self.path)[2:4]
        self._body: Body | None = None
        self._begun = False
        try:
            self._refuse_web_pages()
            if path == "/ping" or (path == "/" and self.command == "GET" and not query):
                self._send(HTTPStatus.OK, _TEXT, b"Ok.\n")
            elif path != "/":
                self._send(HTTPStatus.NOT_FOUND, _TEXT, b"There is nothing here, only at /\n")
            else:
                self._run(imposed)
        except StatementError as error:
            self._refuse(error)
        except (ConnectionError, TimeoutError) as error:
            _LOG.info("the client went away: %s", error)
            self.close_connection = True
        except Exception as error:  # noqa: BLE001  (the connection goes on, told of it)
            _LOG.exception("the request failed")
            self._refuse(failed(error))

    def _refuse_web_pages(self) -> None:
        # A page in the user's browser can reach a port of the loopback address too, by its own
        # address or under a name it has pointed there.
        origin = urlsplit(self.headers.get("Origin", "http://localhost")).hostname
        host = urlsplit("//" + self.headers.get("Host", "localhost")).hostname
        if not {origin, host} <= _LOOPBACK_NAMES:
            reason = f"Only this machine may ask, not a page of {origin} or for the host {host}"
            raise refused(ACCESS_DENIED, "ACCESS_DENIED", reason)

    def _run(self, imposed: Mapping[str, str]) -> None:
        gateway = cast("Gateway", self.server)
        engine = gateway.engine
        with gateway.running():
            request = read_request(self.path, self.headers, {})
            self._body = body = Body(self.connection, self.rfile, self.headers, request.seconds)
            content_type = self.headers.get("Content-Type", "")
            if content_type.lower().startswith("multipart/form-data"):
                form = read_form(content_type, body.read_text())
                request = read_request(self.path, self.headers, form)
            with take_statement(request.query, body, engine.formats) as statement:
                job = Job(
                    text=statement.text,
                    format=statement.format or request.format,
                    database=request.database,
                    settings={**request.settings, **body.time_left(), **imposed},
                    parameters=request.parameters,
                )
                headers = {
                    "Content-Type": engine.formats.get(job.format.lower(), ""),
                    "X-ClickHouse-Query-Id": request.query_id,
                    "X-ClickHouse-Timezone": engine.timezone,
                    "X-ClickHouse-Server-Display-Name": "auditstream",
                }
                if statement.returns_rows:
                    headers["X-ClickHouse-Format"] = job.format
                whole = request.waits or self.request_version == "HTTP/1.0"
                with answer(engine, statement, job, whole=whole) as found:
                    self._send_answer(headers, found)

    def _send_answer(self, headers: Mapping[str, str], found: Answer) -> None:
        if found.size is None:
            self._stream(headers, found.chunks)
            return
        summary = {"X-ClickHouse-Summary": json.dumps(found.summary)}
        length = {"Content-Length": str(found.size)}
        self._send_head(HTTPStatus.OK, {**headers, **summary, **length})
        for chunk in found.chunks:
            self.wfile.write(chunk)

    def _stream(self, headers: Mapping[str, str], chunks: Iterator[bytes]) -> None:
        tag = secrets.token_hex(8)
        framing = {"Transfer-Encoding": "chunked", "X-ClickHouse-Exception-Tag": tag}
        self._send_head(HTTPStatus.OK, {**headers, **framing})
        try:
            for chunk in chunks:
                self._send_chunk(chunk)
        except StatementError as error:
            # No status can tell it any more: ClickHouse's way is a marked text behind the rows,
            # and an answer that breaks off.
            _LOG.info("%s", str(error)[:_LOGGED_CHARACTERS])
            text = f"{error}\n"
            mark = f"__exception__\r\n{tag}\r\n"
            end = f"{len(text.encode())} {tag}\r\n__exception__\r\n"
            self._send_chunk(f"\r\n{mark}{text}{end}".encode())
            self.close_connection = True
        else:
            self._send_chunk(b"")

    def _send_chunk(self, chunk: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))

    def _refuse(self, error: StatementError) -> None:
        _LOG.info("%s", str(error)[:_LOGGED_CHARACTERS])
        if self._begun:
            self.close_connection = True
            return
        headers = {**_TEXT, "X-ClickHouse-Exception-Code": str(error.code)}
        try:
            self._send(error.status, headers, f"{error}\n".encode())
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _send(self, status: HTTPStatus, headers: Mapping[str, str], content: bytes) -> None:
        self._send_head(status, {**headers, "Content-Length": str(len(content))})
        self.wfile.write(content)

    def _send_head(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        self._begun = True
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self._unread():
            self.send_header("Connection", "close")
        self.end_headers()
        self.connection.settimeout(self.timeout)

    def _unread(self) -> bool:
        """Whether a part of the request's body may still be on the connection."""
        if self._body is not None:
            return not self._body.ended
        return "Transfer-Encoding" in self.headers or "Content-Length" in self.headers
