"""Rules over stored events, from the command line."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from threading import Event

import polars as pl
import pytest

from auditstream.settings import Settings
from auditstream.store.append import append_events
from auditstream.store.connection import Store
from tests.cli.conftest import Command
from tests.store.rows import START, STREAM, event_rows

RULE = """\
title: Connection deleted
name: connection_deleted
level: high
logsource: {product: analyst_studio, service: audit}
detection:
  selection: {action: connection_deleted, actor_id: %s}
  condition: selection
auditstream:
  group_by: [workspace_id]
  window: %s
"""
MANY = """\
title: Deletions in a row
name: deletions_in_a_row
correlation:
  type: event_count
  rules: [connection_deleted]
  group-by: [workspace_id]
  timespan: 1h
  condition: {gte: 2}
auditstream:
  window: 1h
"""
SPAN = ("--since", "2025-03-01", "--until", "2025-03-10", "--format", "json")


@pytest.fixture
def url(services: Settings, store: Store) -> str:
    """Address of a ClickHouse with deletions: a in w1 at 0 and 90 min, b in w2 at 0 and 1 min."""
    at = [0, 90, 0, 1]
    rows = event_rows(4).with_columns(
        action=pl.lit("connection_deleted"),
        outcome=pl.lit("success"),
        workspace_id=pl.Series(["w1", "w1", "w2", "w2"]),
        actor_id=pl.Series(["a", "a", "b", "b"]),
        occurred_at=pl.Series([START + timedelta(minutes=minutes) for minutes in at]),
    )
    append_events(store, STREAM, 0, None, rows, Event())
    return services.clickhouse_url


def rule(path: Path, actors: str = "[a, b]", window: str = "60m") -> str:
    """Write a version of the rule to a file."""
    path.write_text(RULE % (actors, window), encoding="utf-8")
    return str(path)


def test_days_and_groups(auditstream: Command, url: str, tmp_path: Path) -> None:
    """Hits are told by day and group, with their alerts; outside the time there are none."""
    file = rule(tmp_path / "changed.yml")
    answer = auditstream("rules", "backtest", file, "--url", url, *SPAN)
    assert answer.code == 0, answer.err
    assert json.loads(answer.out) == [
        {"day": "2025-03-03", "group": "workspace_id=w1", "alerts": 2, "hits": 2},
        {"day": "2025-03-03", "group": "workspace_id=w2", "alerts": 1, "hits": 2},
    ]
    later = auditstream("rules", "backtest", file, "--url", url, "--since", "2025-03-04")
    assert "0 alerts, 0 hits" in later.out


def test_against_the_version_in_force(
    auditstream: Command, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a change adds and removes is told by group and window; another window changes all."""
    text = MANY.replace("gte: 2", "gte: 3")
    directory = tmp_path / "rules"
    directory.mkdir()
    (directory / "many.yml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("AUDITSTREAM_RULES_DIR", str(directory))
    changed = tmp_path / "many.yml"
    changed.write_text(MANY, encoding="utf-8")
    options = ("--against", "--url", url, *SPAN)
    told = json.loads(auditstream("rules", "backtest", str(changed), *options).out)
    assert (told["added"], told["removed"], told["kept"]) == (1, 0, 0)
    assert [(row["change"], row["group"]) for row in told["alerts"]] == [("+", "workspace_id=w2")]
    changed.write_text(text.replace("title: D", "title: Other d"), encoding="utf-8")
    told = json.loads(auditstream("rules", "backtest", str(changed), *options).out)
    assert (told["added"], told["removed"], told["kept"]) == (0, 0, 0)


def test_a_wrong_rule(auditstream: Command, url: str, tmp_path: Path) -> None:
    """An unknown name is refused, and what is wrong in a file is told with its line."""
    assert auditstream("rules", "backtest", "nothing", "--url", url).code == 2
    file = rule(tmp_path / "broken.yml", window="soon")
    answer = auditstream("rules", "backtest", file, "--url", url)
    assert answer.code == 1
    assert f"{file}:" in answer.err
