"""Destinations as the settings describe them."""

from __future__ import annotations

from rich.console import Console

from auditstream.alerts.destinations.console import ConsoleOut
from auditstream.alerts.destinations.destination import Destination
from auditstream.alerts.destinations.webhook import WebhookOut
from auditstream.notifier_settings import (
    AppriseDestination,
    ConsoleDestination,
    WebhookDestination,
)


def make_destination(
    settings: ConsoleDestination | WebhookDestination | AppriseDestination, console: Console
) -> Destination:
    """Return what sends messages to the destination; nothing is sent yet."""
    if isinstance(settings, WebhookDestination):
        return WebhookOut(settings)
    if isinstance(settings, AppriseDestination):
        # It takes a second to import, and most notifiers of a test have none.
        from auditstream.alerts.destinations.service import ServiceOut

        return ServiceOut(settings)
    return ConsoleOut(console)
