"""Chat, mail and paging services, through Apprise."""

from __future__ import annotations

import logging
import re
from typing import Final
from urllib.parse import unquote, urlsplit

import apprise

from auditstream.alerts.destinations.destination import DeliveryError
from auditstream.alerts.message import Message
from auditstream.alerts.render import Form, render, title
from auditstream.notifier_settings import AppriseDestination

NOTIFY: Final = {
    "informational": apprise.NotifyType.INFO,
    "low": apprise.NotifyType.INFO,
    "medium": apprise.NotifyType.WARNING,
    "high": apprise.NotifyType.FAILURE,
    "critical": apprise.NotifyType.FAILURE,
}
FORMS: Final[dict[str, Form]] = {"slack": "md", "mail": "html", "text": "txt"}
BODY: Final = {
    "md": apprise.NotifyFormat.MARKDOWN,
    "html": apprise.NotifyFormat.HTML,
    "txt": apprise.NotifyFormat.TEXT,
}
SHORTEST_SECRET: Final = 4


class ServiceOut:
    """Sends messages to the service of one Apprise URL.

    What Apprise logs may hold tokens, so none of it is passed on.
    """

    def __init__(self, settings: AppriseDestination) -> None:
        # Above CRITICAL: nothing of it, wherever the application sends its logs.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        self._url = settings.url.get_secret_value()
        self._scheme = urlsplit(self._url).scheme
        self._form = FORMS[settings.form] if settings.form else form_of(self._scheme)
        self._timeout = settings.timeout_seconds
        self._service = apprise.Apprise()
        self._service.add(self._url)

    def send(self, message: Message) -> None:
        """Send a message; blocks for the time-out at most.

        Raises:
            DeliveryError: Apprise could not deliver it; sending it again may help.
        """
        try:
            taken = self._service.notify(
                body=render(message, self._form),
                title=title(message),
                notify_type=NOTIFY[message.level],
                body_format=BODY[self._form],
                interpret_escapes=False,
                timeout=self._timeout,
            )
        except Exception as error:  # noqa: BLE001 - a service's own faults are its affair
            raise DeliveryError(f"{self._scheme}: {redacted(str(error), self._url)}") from None
        if not taken:
            raise DeliveryError(f"{self._scheme}: the service did not take the message")


def form_of(scheme: str) -> Form:
    """Return how messages are written for a service, by the scheme of its URL."""
    if scheme.startswith("mail"):
        return "html"
    return "md" if scheme in ("slack", "msteams", "workflows", "mmost", "mmosts") else "txt"


def redacted(text: str, url: str) -> str:
    """Return `text` without the parts of a URL that may be secret."""
    address = urlsplit(url)
    parts = [address.netloc, address.path, address.query, *re.split(r"[/:@?&=]+", url)]
    for part in sorted({*parts, *map(unquote, parts)}, key=len, reverse=True):
        if len(part) >= SHORTEST_SECRET and part != address.scheme:
            text = text.replace(part, "***")
    return text
