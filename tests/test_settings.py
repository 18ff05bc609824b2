"""Settings: sources, order, and errors that name the variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditstream.errors import ConfigurationError
from auditstream.notifier_settings import as_json
from auditstream.settings import load_settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_later_source_wins(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag beats the environment, which beats the file, which beats the default."""
    (elsewhere / "auditstream.toml").write_text(
        'events_topic = "file"\nalerts_topic = "file"\nrejected_topic = "file"\n'
    )
    monkeypatch.setenv("AUDITSTREAM_ALERTS_TOPIC", "environment")
    monkeypatch.setenv("AUDITSTREAM_REJECTED_TOPIC", "environment")
    settings = load_settings(rejected_topic="flag", consumer_group=None)
    assert settings.events_topic == "file"
    assert settings.alerts_topic == "environment"
    assert settings.rejected_topic == "flag"
    assert settings.consumer_group == "auditstream"


def test_named_file(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AUDITSTREAM_CONFIG names another file; one that is missing is an error."""
    path = elsewhere / "production.toml"
    path.write_text("append_rows = 7\n")
    monkeypatch.setenv("AUDITSTREAM_CONFIG", str(path))
    assert load_settings().append_rows == 7
    path.unlink()
    with pytest.raises(ConfigurationError, match=r"AUDITSTREAM_CONFIG.*production\.toml"):
        load_settings()


def test_wrong_values_name_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wrong variable is named, with what it takes."""
    monkeypatch.setenv("AUDITSTREAM_APPEND_ROWS", "-3")
    monkeypatch.setenv("AUDITSTREAM_FETCH_SECONDS", "soon")
    monkeypatch.setenv("AUDITSTREAM_KAFKA_BROKERS", "")
    with pytest.raises(ConfigurationError) as error:
        load_settings()
    assert "AUDITSTREAM_APPEND_ROWS" in str(error.value)
    assert "AUDITSTREAM_FETCH_SECONDS" in str(error.value)
    assert "AUDITSTREAM_KAFKA_BROKERS" in str(error.value)


def test_misspelt_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is no setting is refused, so that a typing error is not ignored."""
    monkeypatch.setenv("AUDITSTREAM_KAFKA_BROKER", "kafka:9092")
    with pytest.raises(ConfigurationError, match="AUDITSTREAM_KAFKA_BROKER is not a setting"):
        load_settings()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the settings nor an error about them shows a password."""
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE_PASSWORD", "hunter2")
    assert "hunter2" not in repr(load_settings())
    monkeypatch.setenv("AUDITSTREAM_RETENTION_DAYS", "-1")
    with pytest.raises(ConfigurationError) as error:
        load_settings()
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ('[[notifier.routes]]\nto = ["nobody"]', "routes.0.to: there is no destination 'nobody'"),
        ('[[notifier.routes]]\nto = ["console"]\nlevel = "low"', "notifier.routes.0.level"),
        ('[notifier.destinations.x]\ntype = "fax"', "notifier.destinations.x"),
        (
            (
                '[notifier.destinations.x]\ntype = "webhook"\nurl = "http://example.com/hunter2"\n'
                'secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"'
            ),
            "notifier.destinations.x.webhook.url",
        ),
        (
            '[notifier.destinations.x]\ntype = "apprise"\nurl = "hunter2://x"',
            "notifier.destinations.x.apprise.url",
        ),
        (
            (
                '[[notifier.maintenance]]\nname = "m"\n'
                'hours = {start = "02:00", end = "04:00", zone = "Mars/Base"}'
            ),
            "notifier.maintenance.0.hours.zone",
        ),
        (
            '[notifier.escalation.high]\nafter_minutes = 0\nto = ["console"]',
            "notifier.escalation.high.after_minutes",
        ),
    ],
)
def test_wrong_section_names_the_key(elsewhere: Path, section: str, key: str) -> None:
    """A key of [notifier] that is wrong is named, and no secret is shown."""
    (elsewhere / "auditstream.toml").write_text(section)
    with pytest.raises(ConfigurationError) as error:
        load_settings()
    assert key in str(error.value)
    assert "hunter2" not in str(error.value)


def test_section_survives_the_environment(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child process that is given the section as JSON has the same, secrets included."""
    (elsewhere / "auditstream.toml").write_text(
        '[notifier.destinations.x]\ntype = "webhook"\nurl = "https://example.com/hunter2"\n'
        'secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"\n'
        '[[notifier.maintenance]]\nname = "m"\nhours = {start = "02:00", end = "04:00"}\n'
    )
    settings = load_settings()
    (elsewhere / "auditstream.toml").unlink()
    monkeypatch.setenv("AUDITSTREAM_NOTIFIER", as_json(settings.notifier))
    assert load_settings().notifier == settings.notifier
