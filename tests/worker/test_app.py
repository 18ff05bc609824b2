"""The Faust app: built from the settings, with their credentials."""

from __future__ import annotations

import ssl
from typing import Literal

import pytest
from pydantic import SecretStr

from auditstream.settings import Settings
from auditstream.worker.app import broker_credentials


def test_plain() -> None:
    """A plain connection needs no credentials."""
    assert broker_credentials(Settings()) is None


@pytest.mark.parametrize(("protocol", "encrypted"), [("SASL_PLAINTEXT", False), ("SASL_SSL", True)])
def test_sasl(protocol: Literal["SASL_PLAINTEXT", "SASL_SSL"], encrypted: bool) -> None:
    """SASL takes user and password; with SSL it has a context, which Faust insists on."""
    settings = Settings(
        kafka_security_protocol=protocol,
        kafka_username="worker",
        kafka_password=SecretStr("secret"),
    )
    credentials = broker_credentials(settings)
    assert credentials.username == "worker"  # type: ignore[union-attr]
    assert credentials.password == "secret"  # type: ignore[union-attr]
    assert isinstance(credentials.ssl_context, ssl.SSLContext) == encrypted  # type: ignore[union-attr]


def test_ssl() -> None:
    """SSL alone has a context that verifies the broker."""
    credentials = broker_credentials(Settings(kafka_security_protocol="SSL"))
    assert credentials.context.verify_mode == ssl.CERT_REQUIRED  # type: ignore[union-attr]
