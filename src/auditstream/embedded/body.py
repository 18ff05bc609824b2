"""The body of an HTTP request as a stream of bytes: framing, time limit, compression."""

from __future__ import annotations

import gzip
import io
import socket
import sys
import time
import zlib
from collections.abc import Callable
from email.message import Message
from io import BufferedIOBase, BufferedReader
from typing import TYPE_CHECKING, Protocol

import lz4.frame  # type: ignore[import-untyped]

from auditstream.embedded.statement_error import (
    CANNOT_DECOMPRESS,
    INCORRECT_DATA,
    NOT_IMPLEMENTED,
    QUERY_IS_TOO_LARGE,
    SOCKET_TIMEOUT,
    TIMEOUT_EXCEEDED,
    UNEXPECTED_END_OF_FILE,
    StatementError,
    refused,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


_IDLE_SECONDS = 30.0
_LONGEST_LINE = 1024
_LONGEST_TEXT = 64 << 20
_DECOMPRESSORS: dict[str, Callable[[BufferedReader], _Readable]] = {
    "": lambda raw: raw,
    "identity": lambda raw: raw,
    "gzip": lambda raw: gzip.GzipFile(fileobj=raw),
    "lz4": lambda raw: lz4.frame.LZ4FrameFile(raw),
    "zstd": lambda raw: zstd.ZstdFile(raw),
}
_DAMAGE = (EOFError, OSError, RuntimeError, zlib.error, zstd.ZstdError)


class Body:
    """The body of one request, decompressed.

    `seconds` is the time it may take to arrive, counted from now; None: no limit but 30 s without
    a byte. Raises StatementError for a compression it does not know.
    """

    def __init__(
        self,
        connection: socket.socket,
        file: BufferedIOBase,
        headers: Message,
        seconds: float | None,
    ) -> None:
        encoding = headers.get("Content-Encoding", "").strip().lower()
        if encoding not in _DECOMPRESSORS:
            known = ", ".join(filter(None, _DECOMPRESSORS))
            reason = f"Content-Encoding {encoding!r} is not supported, use one of {known}"
            raise refused(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", reason)
        self._start = time.monotonic()
        self._seconds = seconds
        self._raw = _Framed(connection, file, headers, seconds)
        self._file = _DECOMPRESSORS[encoding](BufferedReader(self._raw, 1 << 16))

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most and usually `size`, or b"" at the end.

        Raises StatementError when they do not come in time, the client goes away, or they cannot
        be decompressed.
        """
        try:
            return self._file.read(size)
        except StatementError:
            raise
        except _DAMAGE as error:
            reason = f"cannot decompress the request body: {error}"
            raise refused(CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", reason) from error

    def read_text(self) -> bytes:
        """Return all that is left of it, as `read` does; raises StatementError above 64 MiB too."""
        text = self.read(_LONGEST_TEXT + 1)
        if len(text) > _LONGEST_TEXT:
            reason = f"a statement may have {_LONGEST_TEXT} bytes besides the data of an INSERT"
            raise refused(QUERY_IS_TOO_LARGE, "QUERY_IS_TOO_LARGE", reason)
        return text

    @property
    def ended(self) -> bool:
        """Whether nothing of it is left on the connection."""
        return self._raw.ended

    def time_left(self) -> dict[str, str]:
        """Return the limit for what follows the body, as a setting; empty for no limit.

        Raises StatementError when the time is over.
        """
        if self._seconds is None:
            return {}
        elapsed = time.monotonic() - self._start
        if elapsed >= self._seconds:
            raise timed_out(elapsed, self._seconds)
        # Rounded up, as 0 would mean no limit.
        return {"max_execution_time": f"{self._seconds - elapsed + 0.0005:.3f}"}


class _Framed(io.RawIOBase):
    """The bytes between the headers and the next request, as Content-Length or chunks give them."""

    def __init__(
        self,
        connection: socket.socket,
        file: BufferedIOBase,
        headers: Message,
        seconds: float | None,
    ) -> None:
        self._connection = connection
        self._file = file
        self._chunked = headers.get("Transfer-Encoding", "").strip().lower() == "chunked"
        self._left = 0 if self._chunked else _size(headers.get("Content-Length", "0"), 10)
        self._seconds = seconds
        self._start = time.monotonic()

    @property
    def ended(self) -> bool:
        return self._left == 0 and not self._chunked

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        if self._left == 0 and self._chunked:
            self._left = _size(self._receive(self._line).partition(b";")[0].decode("latin-1"), 16)
            if self._left == 0:
                while self._receive(self._line).strip():
                    pass
                self._chunked = False
        if self.ended:
            return 0
        data = self._receive(lambda: self._file.read1(min(len(view), self._left)))
        view[: len(data)] = data
        self._left -= len(data)
        if self._left == 0 and self._chunked:
            self._receive(self._line)
        return len(data)

    def _line(self) -> bytes:
        return self._file.readline(_LONGEST_LINE)

    def _receive(self, read: Callable[[], bytes]) -> bytes:
        elapsed = time.monotonic() - self._start
        limit = self._seconds
        if limit is not None and elapsed >= limit:
            raise timed_out(elapsed, limit)
        idle = _IDLE_SECONDS if limit is None else min(_IDLE_SECONDS, limit - elapsed)
        try:
            self._connection.settimeout(idle)
            data = read()
        except TimeoutError:
            raise self._late() from None
        except OSError as error:
            reason = f"the connection broke within the request body: {error}"
            raise refused(UNEXPECTED_END_OF_FILE, "UNEXPECTED_END_OF_FILE", reason) from error
        if not data:
            reason = "the connection was closed within the request body"
            raise refused(UNEXPECTED_END_OF_FILE, "UNEXPECTED_END_OF_FILE", reason)
        return data

    def _late(self) -> StatementError:
        elapsed = time.monotonic() - self._start
        if self._seconds is not None and elapsed >= self._seconds:
            return timed_out(elapsed, self._seconds)
        reason = f"no byte of the request body came for {_IDLE_SECONDS:g} s"
        return refused(SOCKET_TIMEOUT, "SOCKET_TIMEOUT", reason)


def timed_out(elapsed: float, seconds: float) -> StatementError:
    """Return the error of a request that took `elapsed` s of the `seconds` it had."""
    reason = f"Timeout exceeded: elapsed {elapsed:.3f} seconds, maximum: {seconds:g}"
    return refused(TIMEOUT_EXCEEDED, "TIMEOUT_EXCEEDED", reason)


def _size(text: str, base: int) -> int:
    digits = text.strip()
    if not digits.isalnum() or not digits.isascii():
        raise refused(INCORRECT_DATA, "INCORRECT_DATA", f"{text!r} is not a length")
    try:
        return int(digits, base)
    except ValueError as error:
        raise refused(INCORRECT_DATA, "INCORRECT_DATA", f"{text!r} is not a length") from error
