"""A client of the endpoint that costs little: kept connections, and no more parsing than it needs.

It shares the processors with what is measured, so that an HTTP library, which costs as much as the
endpoint itself, would measure itself.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final, cast
from urllib.parse import quote, urlsplit

from auditstream.api.issue import Issued
from tests.api.conftest import basic

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "
_TOKEN: Final = b',"next_token":'
_TAIL_BYTES: Final = 4_096
SINCE: Final = "2025-01-01"


class Pages:
    """Pages of the published endpoint, as one workspace's token may read them."""

    def __init__(self, address: str, issued: Issued) -> None:
        url = urlsplit(address)
        self.host, self.port = url.hostname or "", url.port or 80
        self._head = (
            f"/api/{issued.token.workspace_username}/audit_logs?start_timestamp={SINCE}"
            "&end_timestamp="
        )
        self._rest = (
            f" HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: {basic(issued)}\r\n\r\n"
        ).encode()

    def request(self, until: datetime, token: str | None) -> bytes:
        """Return the request for a page before a moment, the first or the one of a token."""
        following = f"&next_token={token}" if token else ""
        target = f"{self._head}{quote(until.isoformat())}{following}"
        return b"GET " + target.encode() + self._rest


class Connection(asyncio.Protocol):
    """A kept connection: one request at a time, of whose answer the end is looked at."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[str | None] | None = None
        self._head = b""
        self._left = -1
        self._tail = b""

    async def ask(self, request: bytes) -> str | None:
        """Return the token of the page that follows the one asked for, None after the last.

        Raises:
            RuntimeError: the answer is a refusal.
        """
        if self._transport is None:
            raise RuntimeError("not connected")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits that there will be no answer."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(RuntimeError("the connection was closed"))

    def data_received(self, data: bytes) -> None:
        """Count the bytes of the answer, and keep its end."""
        if self._left < 0:
            self._head += data
            head, found, data = self._head.partition(_HEAD_END)
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            self._head = b""
            start = head.index(_LENGTH) + len(_LENGTH)
            self._left = int(head[start:].partition(b"\r\n")[0])
        self._left -= len(data)
        self._tail = data if len(data) >= _TAIL_BYTES else (self._tail + data)[-_TAIL_BYTES:]
        if self._left == 0 and self._answer is not None:
            token = self._tail[self._tail.rindex(_TOKEN) + len(_TOKEN) : -1]
            self._left, self._tail = -1, b""
            self._answer.set_result(None if token == b"null" else token[1:-1].decode())


async def open_connection(pages: Pages) -> Connection:
    """Return a new connection."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, pages.host, pages.port)
    return connection
