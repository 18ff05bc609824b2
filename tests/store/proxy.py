"""A TCP proxy in front of ClickHouse that loses what the test tells it to lose."""

from __future__ import annotations

import re
import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Literal
from urllib.parse import unquote_plus

CUT_REQUEST: Final = "cut request"
"""The server gets an INSERT with half of its rows, then the connection ends on both sides."""
LOSE_ANSWER: Final = "lose answer"
"""The server gets all of an INSERT and answers it; the client's connection is closed instead."""

Fault = Literal["cut request", "lose answer"]

_CHUNK: Final = 64 * 1024
_INSERT: Final = re.compile(rb"POST [^\r\n]*insert_deduplication_token=")
_END_OF_HEAD: Final = b"\r\n\r\n"
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
_TOKEN: Final = re.compile(rb"insert_deduplication_token=([^& ]+)")


class Proxy:
    """Listens on `port` of 127.0.0.1 and hands everything on to `target`, but for its faults.

    Each INSERT takes the next of `faults`, as long as there are any; `tokens` are the
    deduplication tokens of the INSERTs that came, in order. `before_rows`, when set, is called
    with the token when half of the rows of an INSERT are through, before the other half is.
    """

    def __init__(self, target: int) -> None:
        self.faults: deque[Fault] = deque()
        self.tokens: list[str] = []
        self.before_rows: Callable[[str], object] | None = None
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._closing = threading.Event()

    @property
    def url(self) -> str:
        """Its address, `http://host:port`."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Proxy:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join(30.0)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            if select.select([self._listener], [], [], 0.05)[0]:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(client,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with (
            client,
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self._target)) as server,
        ):
            self._hand_on(client, server)

    def _hand_on(self, client: socket.socket, server: socket.socket) -> None:
        fault: Fault | None = None
        while not self._closing.is_set():
            for ready in select.select([client, server], [], [], 0.05)[0]:
                data = ready.recv(_CHUNK)
                if not data or (ready is server and fault == LOSE_ANSWER):
                    return
                if ready is server:
                    client.sendall(data)
                elif _INSERT.match(data):
                    fault = self._insert(_whole_request(client, data), server)
                    if fault == CUT_REQUEST:
                        return
                else:
                    server.sendall(data)

    def _insert(self, request: bytes, server: socket.socket) -> Fault | None:
        found = _TOKEN.search(request)
        assert found is not None
        token = unquote_plus(found[1].decode())
        self.tokens.append(token)
        fault = self.faults.popleft() if self.faults else None
        middle = (request.index(_END_OF_HEAD) + len(request)) // 2
        server.sendall(request[:middle])
        if fault == CUT_REQUEST:
            # The server can tell its complaint: a server out of its library ends if it cannot.
            server.shutdown(socket.SHUT_WR)
            while server.recv(_CHUNK):
                pass
            return fault
        if self.before_rows is not None:
            self.before_rows(token)
        server.sendall(request[middle:])
        return fault


def _whole_request(client: socket.socket, data: bytes) -> bytes:
    while not data.endswith(_LAST_CHUNK):
        data += client.recv(_CHUNK)
    return data
