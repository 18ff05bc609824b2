"""The endpoint and its page beside a stack: for `demo` and `up` while they stay up."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from auditstream.cli.child import Child
from auditstream.cli.stack import Stack, ended
from auditstream.embedded.ports import LOOPBACK
from auditstream.errors import ServiceUnavailableError

START_SECONDS: Final = 60.0
REQUEST_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Endpoint:
    """An endpoint that answers, and the process that it is."""

    url: str
    child: Child

    def check(self) -> None:
        """Raise ChildEndedError when the endpoint has ended by itself."""
        if self.child.exit_code is not None:
            raise ended(self.child)


def listen(port: int) -> socket.socket:
    """Return a socket that listens on `port` of 127.0.0.1, or on a free one where it is taken.

    Held from the start, so that nobody can take the port before the endpoint has started.
    """
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError:
        return socket.create_server((LOOPBACK, 0))


@contextmanager
def running_endpoint(stack: Stack, listener: socket.socket, directory: Path) -> Iterator[Endpoint]:
    """Serve a stack on `listener` within the `with` block; the socket is closed here.

    Accesses that the broker has not taken wait in a spool in `directory`. Blocks until the endpoint
    answers, about 2 s, and at the end until it has stopped.

    Raises:
        ChildEndedError: it has ended by itself.
        ServiceUnavailableError: it does not answer within a minute.
    """
    host, port = listener.getsockname()
    environment = stack.environment | {"AUDITSTREAM_SPOOL_DIR": str(directory / "spool" / "api")}
    command = ["auditstream.cli", "api", "--fd", str(listener.fileno())]
    with Child("api", command, environment, stack.logs, [listener.fileno()]) as child:
        # Without the endpoint nobody shall wait for an answer.
        listener.close()
        endpoint = Endpoint(f"http://{host}:{port}", child)
        deadline = time.monotonic() + START_SECONDS
        while not _answers(host, port):
            endpoint.check()
            if time.monotonic() > deadline:
                raise ServiceUnavailableError(
                    f"the endpoint does not answer; its log {child.log} ends with:\n{child.tail()}"
                )
            time.sleep(POLL_SECONDS)
        yield endpoint


def _answers(host: str, port: int) -> bool:
    # The form is sealed under a key that is read from ClickHouse: with it, all is there.
    with closing(http.client.HTTPConnection(host, port, timeout=REQUEST_SECONDS)) as connection:
        try:
            connection.request("GET", "/sign-in")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
