from __future__ import annotations

import json

import pytest

from auditstream.cli.config import MASK
from auditstream.settings import Settings
from tests.cli.conftest import Command


def test_every_setting_is_shown(auditstream: Command) -> None:
    """Each setting has its variable, value, default and description."""
    rows = json.loads(auditstream("config", "--format", "json").out)
    assert [row["variable"] for row in rows] == [
        f"AUDITSTREAM_{name.upper()}" for name in Settings.model_fields
    ]
    assert all(row["description"] for row in rows)


def test_value_in_force_stands_beside_its_default(
    auditstream: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment says is the value, what it would be without is the default."""
    monkeypatch.setenv("AUDITSTREAM_FETCH_ROWS", "7")
    rows = json.loads(auditstream("config", "--format", "json").out)
    (row,) = [row for row in rows if row["variable"] == "AUDITSTREAM_FETCH_ROWS"]
    assert (row["value"], row["default"]) == ("7", "40000")


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_secrets_are_masked(
    auditstream: Command, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """No password is printed in any form, wherever it stands."""
    monkeypatch.setenv("AUDITSTREAM_KAFKA_PASSWORD", "hunter2")
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE_PASSWORD", "hunter2")
    monkeypatch.setenv("AUDITSTREAM_SCHEMA_REGISTRY_URL", "https://ada:hunter2@registry.example")
    shown = auditstream("config", "--format", form)
    assert shown.code == 0
    assert "hunter2" not in shown.out + shown.err
    assert shown.out.count(MASK) == 3
    assert f"https://ada:{MASK}@registry.example" in shown.out
