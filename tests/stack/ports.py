"""Free ports on the loopback address."""

from __future__ import annotations

import random
import socket

# Below every system's range for outgoing connections: from within it, a client that reconnects
# to a server which is down may be given that server's port, connect to itself and keep the port.
CANDIDATES = range(15_000, 32_000)
ATTEMPTS = 200


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody holds now, and no client will take by chance.

    Raises OSError when 200 random candidates are all taken.
    """
    for port in random.SystemRandom().sample(CANDIDATES, ATTEMPTS):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port on 127.0.0.1 among {ATTEMPTS} of {CANDIDATES}")
