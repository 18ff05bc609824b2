"""Free ports."""

from __future__ import annotations

import socket

from tests.stack.ports import free_port


def test_nobody_listens_on_a_free_port() -> None:
    """The port can be bound."""
    with socket.create_server(("127.0.0.1", free_port())):
        pass
