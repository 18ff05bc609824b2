from __future__ import annotations

import socket

import pytest

from auditstream.embedded.ports import free_port, wait_until_free
from auditstream.errors import ServiceUnavailableError


def test_free_port_can_be_listened_on() -> None:
    """The port is outside of the range that clients get theirs from."""
    port = free_port()
    assert 15_000 <= port < 32_000
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_taken_port_is_waited_for() -> None:
    """It is an error once the time is over, and fine as soon as the listener has gone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ServiceUnavailableError, match=f"port {port} .* is taken"):
            wait_until_free(port, 0.1)
    wait_until_free(port, 0.1)
