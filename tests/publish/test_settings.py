"""Settings of a producer: where they come from, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditstream import ConfigurationError
from auditstream.publish.config import (
    PublishSettings,
    SettingsArguments,
    load_publish_settings,
)


def test_defaults(tmp_path: Path) -> None:
    """A service's name is all that is needed; the spool is in the user's state directory."""
    settings = load_publish_settings(service="my service/1")
    assert settings.kafka_brokers == "127.0.0.1:9092"
    assert settings.durability == "disk"
    assert settings.spool_dir == tmp_path / "state" / "auditstream" / "my-service-1"


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment gives what the arguments do not."""
    for name, value in {
        "SERVICE": "billing",
        "SERVICE_VERSION": "1.2",
        "KAFKA_BROKERS": "kafka:9092",
        "KAFKA_PASSWORD": "secret-word",
        "EVENTS_TOPIC": "other",
        "SPOOL_DIR": "/var/spool/audit",
        "SPOOL_DURABILITY": "power",
        "SPOOL_MAX_BYTES": "1000",
        "SPOOL_CLOSE_SECONDS": "0.5",
    }.items():
        monkeypatch.setenv(f"AUDITSTREAM_{name}", value)
    settings = load_publish_settings(kafka_brokers="mine:9092", durability=None)
    assert settings.kafka_brokers == "mine:9092"
    assert (settings.service, settings.service_version) == ("billing", "1.2")
    assert (settings.events_topic, settings.spool_dir) == ("other", Path("/var/spool/audit"))
    assert (settings.durability, settings.max_spool_bytes) == ("power", 1_000)
    assert settings.close_seconds == 0.5
    assert "secret-word" not in repr(settings)


def test_no_service() -> None:
    """A producer without a name is told how to get one."""
    with pytest.raises(ConfigurationError, match="AUDITSTREAM_SERVICE"):
        load_publish_settings()


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("SERVICE_VERSION", "x" * 257, "1 to 256 characters"),
        ("SPOOL_DURABILITY", "paper", "memory, disk, power"),
        ("SPOOL_MAX_EVENTS", "0", "above 0"),
        ("SPOOL_MAX_BYTES", "1e9", "above 0"),
        ("SPOOL_CLOSE_SECONDS", "soon", "number of seconds"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS", "PLAINTEXT, SSL"),
        ("KAFKA_CA_FILE", "/nowhere.pem", "path of a file"),
    ],
)
def test_wrong_value(name: str, value: str, takes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong value is named by its variable, with what it takes."""
    monkeypatch.setenv(f"AUDITSTREAM_{name}", value)
    with pytest.raises(ConfigurationError, match=f"AUDITSTREAM_{name}.*{takes}"):
        load_publish_settings(service="billing")


def test_arguments_are_the_settings() -> None:
    """Each setting is an argument, and the other way round."""
    assert set(SettingsArguments.__annotations__) == set(PublishSettings.__annotations__)
