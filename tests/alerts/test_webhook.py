"""Webhooks on a real HTTP server: signed, bounded, and without their secrets in any text."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr, ValidationError

from auditstream.alerts.destinations.destination import DeliveryError
from auditstream.alerts.destinations.webhook import WebhookOut
from auditstream.alerts.message import Letter, Message
from auditstream.embedded.ports import free_port
from auditstream.notifier_settings import WebhookDestination
from tests.alerts.receiver import SECRET, Receiver, receiving
from tests.alerts.samples import ESCALATION, alert

MESSAGE = Message(
    "7d1f0f0a-3a55-5c0e-8a1b-5b8e6f1f2b02",
    "folded",
    (Letter(ESCALATION, 3), Letter(alert(1, first_event='{"action": "x"}'), 1)),
    datetime.now(UTC),
)


def webhook(receiver: Receiver | None, **settings: object) -> WebhookOut:
    url = receiver.url if receiver else f"http://127.0.0.1:{free_port()}/topsecretpath"
    return WebhookOut(
        WebhookDestination.model_validate(
            {"type": "webhook", "url": url, "secret": SECRET, **settings}
        )
    )


def test_webhook_is_signed_and_complete() -> None:
    """The signature holds, the id is the message's, and every alert is there in full."""
    with receiving() as receiver:
        webhook(receiver).send(MESSAGE)
        (request,) = receiver.requests
    assert request.headers["webhook-id"] == MESSAGE.message_id
    assert request.headers["idempotency-key"] == MESSAGE.message_id
    assert request.document["type"] == "alert.raised"
    first, second = request.document["data"]["alerts"]
    assert first["alert_id"] == ESCALATION.alert_id
    assert first["event_count"] == 3
    assert first["occurred_at"] == "2026-03-14T02:13:41.250000Z"
    assert first["evidence"][0]["offset"] == 42
    assert second["first_event"] == {"action": "x"}


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(400, True), (404, True), (410, True), (413, True), (429, False), (408, False), (500, False)],
)
def test_refusal(status: int, permanent: bool) -> None:
    """4xx is for good, but for those that pass with time; 5xx passes."""
    with receiving() as receiver:
        receiver.answers = [(status, {"retry-after": "7"})]
        with pytest.raises(DeliveryError, match=str(status)) as refused:
            webhook(receiver).send(MESSAGE)
    assert refused.value.permanent is permanent
    assert refused.value.retry_after == 7.0


def test_redirect_is_not_followed() -> None:
    """A redirect to elsewhere is a refusal: nothing is sent there."""
    with receiving() as receiver, receiving() as elsewhere:
        receiver.answers = [(302, {"location": elsewhere.url})]
        with pytest.raises(DeliveryError, match="302"):
            webhook(receiver).send(MESSAGE)
        assert elsewhere.requests == []


def test_slow_receiver_is_given_up() -> None:
    """No answer in time is a failure that may pass."""
    with receiving() as receiver:
        receiver.delay = 1.0
        with pytest.raises(DeliveryError, match="did not answer") as failed:
            webhook(receiver, timeout_seconds=0.2).send(MESSAGE)
    assert not failed.value.permanent


def test_secrets_are_in_no_text(caplog: pytest.LogCaptureFixture) -> None:
    """Neither errors, nor logs, nor settings show the secret or the path of the address."""
    caplog.set_level(logging.WARNING)
    away = webhook(None)
    with pytest.raises(DeliveryError) as failed:
        away.send(MESSAGE)
    settings = WebhookDestination(
        type="webhook", url=SecretStr("https://x.example/topsecretpath"), secret=SecretStr(SECRET)
    )
    for text in (str(failed.value), repr(failed.value.__cause__), caplog.text, repr(settings)):
        assert "topsecretpath" not in text
        assert SECRET not in text


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://example.com/hook"},
        {"url": "ftp://127.0.0.1/"},
        {"url": "hook"},
        {"secret": "secret"},
        {"secret": "whsec_c2hvcnQ="},
        {"secret": "whsec_!!!"},
    ],
)
def test_unsafe_settings_are_refused(wrong: dict[str, str]) -> None:
    """Plain http beyond the loopback interface, and a weak secret, are errors."""
    given = {"type": "webhook", "url": "https://x.example/hook", "secret": SECRET, **wrong}
    with pytest.raises(ValidationError) as refused:
        WebhookDestination.model_validate(given)
    (name,) = wrong
    assert [error["loc"] for error in refused.value.errors(include_input=False)] == [(name,)]
