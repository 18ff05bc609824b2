"""Compressed answers: zstd or gzip, whichever the client takes (RFC 9110, section 12.5.3)."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Final, Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEAST_BYTES: Final = 1_024
_GZIP: Final = 16 + zlib.MAX_WBITS
_COMPRESSIBLE: Final = (
    "application/json",
    "application/problem+json",
    "application/x-ndjson",
    "text/",
)
_ALONE: Final = "text/event-stream"


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


_CODINGS: Final[dict[str, Callable[[], _Compressor]]] = {
    "zstd": lambda: zstd.ZstdCompressor(level=3),
    "gzip": lambda: zlib.compressobj(level=3, wbits=_GZIP),
}


class Compression:
    """Compresses text that is longer than 1 KiB, streamed answers piece by piece."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and its answer back, compressed if the client takes that."""
        coding = None
        if scope["type"] == "http":
            coding = preferred(Headers(scope=scope).get("accept-encoding", ""))
        await self._app(scope, receive, send if coding is None else _Answer(send, coding))


def preferred(accepted: str) -> str | None:
    """Return the coding that a header Accept-Encoding likes best, zstd among equals, or None."""
    qualities = {}
    for part in accepted.lower().split(","):
        name, _, quality = part.partition(";")
        try:
            qualities[name.strip()] = float(quality.partition("=")[2]) if quality else 1.0
        except ValueError:
            continue
    anything = qualities.get("*", 0.0)
    best = max(_CODINGS, key=lambda name: qualities.get(name, anything))
    return best if qualities.get(best, anything) > 0 else None


class _Answer:
    """Sends the messages of one answer, compressed if that is worth while."""

    def __init__(self, send: Send, coding: str) -> None:
        self._send = send
        self._coding = coding
        self._start: Message | None = None
        self._compressor: _Compressor | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _compressible(message):
            self._start = message  # until it is known how the answer begins
        elif message["type"] == "http.response.body":
            await self._body(message)
        else:
            await self._send(message)

    async def _body(self, message: Message) -> None:
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._start is not None:
            self._begin(self._start, body, more=more)
            start, self._start = self._start, None
            if self._compressor is None or more:
                await self._send(start)
            else:
                body = self._compressor.compress(body) + self._compressor.flush()
                MutableHeaders(scope=start)["Content-Length"] = str(len(body))
                await self._send(start)
                await self._send({**message, "body": body})
                return
        if self._compressor is not None:
            body = self._compressor.compress(body)
            if not more:
                body += self._compressor.flush()
            elif not body:
                return
        await self._send({**message, "body": body})

    def _begin(self, start: Message, body: bytes, *, more: bool) -> None:
        headers = MutableHeaders(scope=start)
        headers.add_vary_header("Accept-Encoding")
        if "content-encoding" in headers or not (more or len(body) >= LEAST_BYTES):
            return
        headers["Content-Encoding"] = self._coding
        if "content-length" in headers:
            del headers["Content-Length"]
        tag = headers.get("etag")
        if tag is not None and not tag.startswith("W/"):
            headers["ETag"] = f"W/{tag}"
        self._compressor = _CODINGS[self._coding]()


def _compressible(start: Message) -> bool:
    kind = MutableHeaders(scope=start).get("content-type", "")
    return kind.startswith(_COMPRESSIBLE) and not kind.startswith(_ALONE)
