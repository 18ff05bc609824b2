"""The notifier's own console."""

from __future__ import annotations

from rich.console import Console

from auditstream.alerts.console import print_alert
from auditstream.alerts.message import Message
from auditstream.alerts.render import heading


class ConsoleOut:
    """Prints each alert of a message: a block on a terminal, a line in a pipe."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def send(self, message: Message) -> None:
        """Print a message; raises nothing."""
        for letter in message.letters:
            print_alert(self._console, letter.alert, letter.count, heading(message))
