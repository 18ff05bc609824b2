"""What a destination is: it sends a message, or says why it could not."""

from __future__ import annotations

from typing import Protocol

from auditstream.alerts.message import Message
from auditstream.errors import AuditStreamError


class DeliveryError(AuditStreamError):
    """A destination did not take a message; the text holds no secret.

    `permanent`: sending it again would not help. `retry_after`: seconds the destination wants to
    be left alone.
    """

    def __init__(self, text: str, *, permanent: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.retry_after = retry_after


class Destination(Protocol):
    """Sends one message at a time; called by one thread."""

    def send(self, message: Message) -> None:
        """Send a message; blocks for the destination's time-out at most.

        Raises:
            DeliveryError: it was not taken, or nothing is known of it.
        """
