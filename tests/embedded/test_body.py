from __future__ import annotations

import gzip
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from io import BufferedReader

import lz4.frame  # type: ignore[import-untyped]
import pytest

from auditstream.embedded.body import Body
from auditstream.embedded.statement_error import StatementError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CHUNKED = {"Transfer-Encoding": "chunked"}
CONTENT = b"0123456789" * 20_000


@dataclass(frozen=True)
class Link:
    """A connection: `client` is the far end."""

    client: socket.socket
    _ours: socket.socket
    _file: BufferedReader

    def body(self, headers: dict[str, str], seconds: float | None = None) -> Body:
        """The next body that arrives, in `seconds`."""
        message = Message()
        for name, value in headers.items():
            message[name] = value
        return Body(self._ours, self._file, message, seconds)


@pytest.fixture
def link() -> Iterator[Link]:
    ours, client = socket.socketpair()
    with ours, client, ours.makefile("rb") as file:
        yield Link(client, ours, file)


def chunks(data: bytes, size: int) -> bytes:
    """`data` in chunks, with an extension and a trailer."""
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    framed = b"".join(b"%X;x=1\r\n%b\r\n" % (len(part), part) for part in parts)
    return framed + b"0\r\nTrailer: x\r\n\r\n"


def test_content_length(link: Link) -> None:
    """It ends with its length; what follows belongs to the next request."""
    link.client.sendall(b"SELECT 1GET")
    found = link.body({"Content-Length": "8"})
    assert not found.ended
    assert found.read(100) == b"SELECT 1"
    assert found.read(100) == b""
    assert found.ended


def test_no_length_is_no_body(link: Link) -> None:
    """Without a length nothing is waited for."""
    found = link.body({})
    assert found.ended
    assert found.read_text() == b""


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("lz4", lz4.frame.compress),
        ("zstd", zstd.compress),
    ],
)
def test_chunks_of_each_compression(
    link: Link, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    """Several compressed frames in a row, as clients send them, are one body."""
    sent = chunks(compress(CONTENT[:100_000]) + compress(CONTENT[100_000:]), 7_000)
    with ThreadPoolExecutor() as threads:
        threads.submit(link.client.sendall, sent)
        found = link.body({**CHUNKED, "Content-Encoding": encoding})
        assert found.read_text() == CONTENT
    assert found.ended


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("lz4", lz4.frame.compress), ("zstd", zstd.compress)],
)
def test_damage_is_told(link: Link, encoding: str, compress: Callable[[bytes], bytes]) -> None:
    """A truncated or garbled compressed body is an error, never a shorter body."""
    whole = compress(b"x" * 1_000)
    for sent in (whole[:-5], b"garbage" * 3):
        link.client.sendall(sent)
        found = link.body({"Content-Length": str(len(sent)), "Content-Encoding": encoding})
        with pytest.raises(StatementError, match="cannot decompress") as caught:
            found.read_text()
        assert caught.value.code == 271


def test_unknown_compression(link: Link) -> None:
    """It is refused before anything is read."""
    with pytest.raises(StatementError, match="gzip, lz4, zstd") as caught:
        link.body({"Content-Encoding": "br"})
    assert caught.value.status == 501


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ({"Content-Length": "100"}, b"only a part"),
        (CHUNKED, b"5\r\nonly"),
        (CHUNKED, b"4\r\nonly\r\n"),
        (CHUNKED, b""),
    ],
)
def test_connection_closed_within(link: Link, headers: dict[str, str], sent: bytes) -> None:
    """A client that goes away has not sent its statement."""
    link.client.sendall(sent)
    link.client.close()
    with pytest.raises(StatementError, match="closed") as caught:
        link.body(headers).read_text()
    assert caught.value.code == 3


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ({"Content-Length": "-1"}, b""),
        ({"Content-Length": "ten"}, b""),
        (CHUNKED, b"-5\r\nabcde\r\n"),
        (CHUNKED, b"xyz\r\nabcde\r\n"),
    ],
)
def test_nonsense_lengths(link: Link, headers: dict[str, str], sent: bytes) -> None:
    """A length that is none is refused."""
    link.client.sendall(sent)
    with pytest.raises(StatementError, match="is not a length") as caught:
        link.body(headers).read_text()
    assert caught.value.status == 400


def test_trickle_meets_the_time_limit(link: Link) -> None:
    """A body that keeps coming, slowly, is ended by its limit all the same."""
    done = threading.Event()

    def trickle() -> None:
        while not done.wait(0.02):
            link.client.sendall(b"1\r\nx\r\n")

    with ThreadPoolExecutor() as threads:
        threads.submit(trickle)
        try:
            with pytest.raises(StatementError, match="Timeout exceeded") as caught:
                link.body(CHUNKED, 0.2).read_text()
        finally:
            done.set()
    assert (caught.value.code, caught.value.status) == (159, 408)


def test_time_over_is_over(link: Link) -> None:
    """What has arrived too late does not count, even if it is there."""
    link.client.sendall(b"SELECT 1")
    with pytest.raises(StatementError, match="Timeout exceeded"):
        link.body({"Content-Length": "8"}, 0.0).read_text()


def test_time_left_is_what_the_body_did_not_take(
    link: Link,
) -> None:
    """Body and statement share one limit; 0, which would mean none, is never passed on."""
    assert link.body({}).time_left() == {}
    assert 0 < float(link.body({}, 50.0).time_left()["max_execution_time"]) <= 50.001
    with pytest.raises(StatementError, match="Timeout exceeded"):
        link.body({}, 0.0).time_left()
