"""Free ports on the loopback address."""

from __future__ import annotations

import random
import socket
import time

from auditstream.errors import ServiceUnavailableError

LOOPBACK = "127.0.0.1"

# Below every system's range for outgoing connections: a client that reconnects to a server which
# is down might otherwise be given the server's own port, connect to itself and keep the port.
_CANDIDATES = range(15_000, 32_000)
_ATTEMPTS = 200
_POLL_SECONDS = 0.05


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on now.

    Raises ServiceUnavailableError when none of 200 random candidates is free.
    """
    for port in random.SystemRandom().sample(_CANDIDATES, _ATTEMPTS):
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise ServiceUnavailableError(
        f"no free port on {LOOPBACK} among {_ATTEMPTS} tried: close some programs, or give a port"
    )


def wait_until_free(port: int, seconds: float) -> None:
    """Return once nobody listens on `port` of 127.0.0.1; blocks up to `seconds`.

    Raises ServiceUnavailableError when it is still taken then.
    """
    deadline = time.monotonic() + seconds
    while _taken(port):
        if time.monotonic() > deadline:
            raise ServiceUnavailableError(
                f"port {port} on {LOOPBACK} is taken by another program: end it, or give another"
            )
        time.sleep(_POLL_SECONDS)


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        # Connections of an earlier server that are still being closed do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False
