"""The rules in force: changed files are taken, wrong ones are told and stop no other."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from threading import Event

import polars as pl
import pytest

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.errors import ConfigurationError
from auditstream.pipeline.pipeline import Pipeline
from auditstream.settings import Settings
from auditstream.store.append import append_events
from auditstream.store.connection import Store, connect
from auditstream.store.migrate import migrate
from auditstream.worker.rule_book import RuleBook
from tests.pipeline.events import NOW, encode, event, records
from tests.pipeline.past import NoPast
from tests.stack.clickhouse import ClickHouseServer
from tests.store.conftest import store_at
from tests.store.rows import STREAM, event_rows

RULE = """\
title: {name}
name: {name}
logsource: {{product: analyst_studio, service: audit}}
detection:
  selection: {{action: group_deleted}}
  condition: selection
level: low
"""
TWICE = """\
title: Twice
name: twice
correlation:
  type: event_count
  rules: [own_a]
  group-by: [workspace_id]
  timespan: 1h
  condition: {gte: 2}
---
title: Through a group
name: through_group
auditstream:
  effective_access: {rules: [own_a], entity-type: workspace_connection, role: manage}
"""


def book(directory: Path, store: Store | None = None) -> RuleBook:
    """The rules of a directory, above the built-in ones; without a store nothing is asked."""
    return RuleBook(
        directory,
        Pipeline(shipped_catalogue(), (), clock=lambda: NOW),
        store or connect(Settings()),
        "critical",
    )


def firing(rules: RuleBook) -> set[str]:
    """The rules of the directory that fire when a group is deleted."""
    done = rules.in_force.pipeline.process(records([encode(event("group_deleted"))]), NoPast())
    return {alert.rule_id for alert in done.alerts if alert.rule_id.startswith("own_")}


def test_changes(tmp_path: Path) -> None:
    """A file that breaks is told with its line; others stay, new ones come, mended ones return."""
    (tmp_path / "a.yml").write_text(RULE.format(name="own_a"))
    broken = tmp_path / "b.yml"
    broken.write_text(RULE.format(name="own_b"))
    rules = book(tmp_path)
    assert (firing(rules), rules.errors, rules.changed()) == ({"own_a", "own_b"}, {}, None)

    broken.write_text(RULE.format(name="own_b").replace("{action:", "{acton:"))
    (tmp_path / "c.yml").write_text(RULE.format(name="own_c"))
    assert rules.changed() is rules.in_force
    assert firing(rules) == {"own_a", "own_c"}
    ((place, message),) = rules.errors.items()
    assert place == f"{broken}:5"
    assert "acton" in message

    broken.write_text(RULE.format(name="own_b"))
    assert rules.changed()
    assert (firing(rules), rules.errors) == ({"own_a", "own_b", "own_c"}, {})


def test_directory_away(tmp_path: Path) -> None:
    """Rules that are away stay in force, which is told, and are taken again when they are back."""
    directory = tmp_path / "rules"
    directory.mkdir()
    (directory / "a.yml").write_text(RULE.format(name="own_a"))
    rules = book(directory)
    directory.rename(tmp_path / "away")
    assert rules.changed() is None
    assert firing(rules) == {"own_a"}
    assert "there is no directory" in rules.errors[str(directory)]
    (tmp_path / "away").rename(directory)
    assert rules.changed()
    assert (firing(rules), rules.errors) == ({"own_a"}, {})


def test_start(tmp_path: Path) -> None:
    """A wrong rule does not keep a worker from starting; a directory that is missing does."""
    (tmp_path / "a.yml").write_text("title: nothing else\n")
    (tmp_path / "b.yml").write_text(RULE.format(name="own_b"))
    rules = book(tmp_path)
    assert firing(rules) == {"own_b"}
    ((place, _),) = rules.errors.items()
    assert place.startswith(str(tmp_path / "a.yml"))
    with pytest.raises(ConfigurationError):
        book(tmp_path / "missing")


@pytest.mark.real
def test_refused(tmp_path: Path, clickhouse_server: ClickHouseServer) -> None:
    """A rule that ClickHouse refuses is told with file and line until it works; others alert."""
    (tmp_path / "a.yml").write_text(RULE.format(name="own_a"))
    file = tmp_path / "more.yml"
    file.write_text(TWICE)
    rows = event_rows(2).with_columns(
        action=pl.lit("group_deleted"),
        workspace_id=pl.lit("w"),
        occurred_at=pl.Series([NOW, NOW + timedelta(seconds=1)]),
    )
    with store_at(clickhouse_server.url, "refused", 30.0) as store:
        migrate(store, 0)
        append_events(store, STREAM, 0, None, rows, Event())
        rules = book(tmp_path, store)
        candidates = rules.in_force.correlator.candidates(rows)
        assert candidates is not None

        def alerting() -> list[str]:
            found = rules.in_force.correlator.evaluate(candidates, NOW)
            return [alert.rule_id for alert in found]

        view = "refused.effective_access"
        store.command(f"RENAME TABLE {view} TO {view}_away")
        assert alerting() == ["twice"]
        ((place, message),) = rules.errors.items()
        assert place == f"{file}:10"
        assert message.startswith("through_group is refused by ClickHouse: ")
        assert "effective_access" in message

        store.command(f"RENAME TABLE {view}_away TO {view}")
        assert (alerting(), rules.errors) == (["twice"], {})
        store.command("DROP DATABASE refused SYNC")
