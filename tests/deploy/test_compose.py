"""docker-compose.yml: what it sets exists, and what needs each other starts in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from auditstream.settings import PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]
OURS = ("migrate", "worker", "notifier", "api")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file as Compose reads it, anchors resolved."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


@pytest.mark.parametrize("service", OURS)
def test_settings_are_known(
    compose: dict[str, Any], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every AUDITSTREAM_ variable is a setting, and the settings accept its value."""
    environment = compose["services"][service]["environment"]
    for name, value in environment.items():
        assert name.removeprefix(PREFIX).lower() in Settings.model_fields
        monkeypatch.setenv(name, value.split(":-")[-1].rstrip("}"))
    settings = load_settings()
    assert settings.kafka_brokers == "kafka:19092"
    assert settings.clickhouse_url == "http://clickhouse:8123"


def test_addresses_are_services(compose: dict[str, Any]) -> None:
    """The hosts in our settings are services of the file, on ports they listen on."""
    services = compose["services"]
    environment = services["worker"]["environment"]
    broker, port = environment["AUDITSTREAM_KAFKA_BROKERS"].split(":")
    assert f"PLAINTEXT://:{port}" in services[broker]["environment"]["KAFKA_LISTENERS"]
    assert "clickhouse" in services


def test_password_is_the_same(compose: dict[str, Any]) -> None:
    """ClickHouse is given the user and password with which we sign in."""
    ours = compose["services"]["worker"]["environment"]
    server = compose["services"]["clickhouse"]["environment"]
    assert server["CLICKHOUSE_PASSWORD"] == ours["AUDITSTREAM_CLICKHOUSE_PASSWORD"]
    assert server["CLICKHOUSE_USER"] == ours["AUDITSTREAM_CLICKHOUSE_USER"]


def test_worker_waits_for_the_migration(compose: dict[str, Any]) -> None:
    """Tables and topics exist before what uses them starts."""
    for service in ("worker", "notifier", "api"):
        condition = compose["services"][service]["depends_on"]["migrate"]["condition"]
        assert condition == "service_completed_successfully"


def test_endpoint_can_be_reached(compose: dict[str, Any]) -> None:
    """It listens beyond its container, on the port that is published, and keeps its spool."""
    api = compose["services"]["api"]
    assert api["environment"]["AUDITSTREAM_API_HOST"] == "0.0.0.0"  # noqa: S104 - in a container
    port = api["environment"]["AUDITSTREAM_API_PORT"]
    assert api["ports"] == [f"127.0.0.1:{port}:{port}"]
    volume, _, place = api["volumes"][0].partition(":")
    assert volume in compose["volumes"]
    assert place in (ROOT / "deploy/Dockerfile").read_text()


def test_ports_are_local(compose: dict[str, Any]) -> None:
    """Nothing is published beyond the machine."""
    for service in compose["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
