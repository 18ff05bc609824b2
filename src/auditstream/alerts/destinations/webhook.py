"""A webhook, signed as Standard Webhooks 1.0 (https://www.standardwebhooks.com).

The body is `{"type", "timestamp", "data": {"kind", "message_id", "alerts": […]}}`. The header
`webhook-id` is the message's id and stays the same when it is sent again, as do the ids of the
alerts: a receiver that drops alerts it knows has each once.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import urllib3
from standardwebhooks import Webhook

from auditstream.alerts.destinations.destination import DeliveryError
from auditstream.alerts.message import Message
from auditstream.alerts.payload import alert_document
from auditstream.notifier_settings import WebhookDestination

TRY_AGAIN: Final = frozenset({408, 409, 425, 429})
"""Refusals (4xx) that pass with time."""
ANSWER_BYTES: Final = 200
CONNECT_SECONDS: Final = 5.0
LONGEST_REST_SECONDS: Final = 600.0


class WebhookOut:
    """Posts messages to one URL; follows no redirect."""

    def __init__(self, settings: WebhookDestination) -> None:
        self._url = settings.url.get_secret_value()
        self._signer = Webhook(settings.secret.get_secret_value())
        connect = min(CONNECT_SECONDS, settings.timeout_seconds)
        self._timeout = urllib3.Timeout(total=settings.timeout_seconds, connect=connect)
        self._pool = urllib3.PoolManager(maxsize=1, retries=False)
        self._host = urlsplit(self._url).hostname or ""

    def send(self, message: Message) -> None:
        """Post a message; blocks for the time-out at most.

        Raises:
            DeliveryError: the answer is not 2xx, or there is none.
        """
        body = json.dumps(webhook_document(message), ensure_ascii=False, separators=(",", ":"))
        try:
            answer = self._pool.request(
                "POST",
                self._url,
                body=body.encode(),
                headers=self._headers(message, body),
                timeout=self._timeout,
                redirect=False,
                preload_content=False,
            )
            try:
                excerpt = answer.read(ANSWER_BYTES).decode(errors="replace")
            finally:
                answer.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # Its text holds the address, which may be a secret.
            raise DeliveryError(f"{self._host} did not answer: {type(error).__name__}") from None
        if not 200 <= answer.status < 300:
            raise self._refused(answer.status, answer.headers.get("Retry-After"), excerpt)

    def _headers(self, message: Message, body: str) -> dict[str, str]:
        now = datetime.now(UTC)
        return {
            "content-type": "application/json",
            "user-agent": "auditstream",
            "webhook-id": message.message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message.message_id, now, body),
            "idempotency-key": message.message_id,
        }

    def _refused(self, status: int, rest: str | None, excerpt: str) -> DeliveryError:
        permanent = status < 500 and status not in TRY_AGAIN
        seconds = float(rest) if rest is not None and rest.isdecimal() else 0.0
        said = f": {excerpt!r}" if excerpt else ""
        return DeliveryError(
            f"{self._host} answered {status}{said}",
            permanent=permanent,
            retry_after=min(seconds, LONGEST_REST_SECONDS),
        )


def webhook_document(message: Message) -> dict[str, Any]:
    """Return the body of a webhook."""
    return {
        "type": "alert.test" if message.kind == "test" else "alert.raised",
        "timestamp": message.now.isoformat().replace("+00:00", "Z"),
        "data": {
            "kind": message.kind,
            "message_id": message.message_id,
            "alerts": [
                alert_document(letter.alert) | {"event_count": letter.count}
                for letter in message.letters
            ],
        },
    }
