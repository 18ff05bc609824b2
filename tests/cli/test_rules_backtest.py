"""Rules over stored events, from the command line."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from threading import Event

import polars as pl
import pytest

from auditstream.contract.catalogue import shipped_catalogue
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

    (directory / "many.yml").write_text(MANY, encoding="utf-8")
    changed.write_text(text, encoding="utf-8")
    told = json.loads(auditstream("rules", "backtest", str(changed), *options).out)
    assert (told["added"], told["removed"], told["kept"]) == (0, 1, 0)
    assert [(row["change"], row["group"]) for row in told["alerts"]] == [("-", "workspace_id=w2")]
    changed.write_text(MANY.replace("window: 1h", "window: 1d"), encoding="utf-8")
    answer = auditstream("rules", "backtest", str(changed), "--against", "--url", url, *SPAN[:4])
    assert answer.out.splitlines()[-1] == "deletions_in_a_row: 1 alerts added, 1 removed, 0 kept"
    assert [line[0] for line in answer.out.splitlines()[2:4]] == ["+", "-"]


def test_single_events_against_the_version_in_force(
    auditstream: Command, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two versions of a rule over one event are compared in one reading, or as different rules."""
    directory = tmp_path / "rules"
    directory.mkdir()
    own = RULE.replace("name: connection_deleted", "name: own_deleted")
    (directory / "own.yml").write_text(own % ("[a, c]", "60m"), encoding="utf-8")
    monkeypatch.setenv("AUDITSTREAM_RULES_DIR", str(directory))
    changed = tmp_path / "own.yml"
    counts = {}
    for actors, window in (("[a, b]", "60m"), ("b", "60m"), ("a", "60m"), ("[a, b]", "2h")):
        changed.write_text(own % (actors, window), encoding="utf-8")
        command = ("rules", "backtest", str(changed), "--against", "--url", url, *SPAN)
        told = json.loads(auditstream(*command).out)
        rows = sorted((row["change"], row["group"], row["hits"]) for row in told["alerts"])
        counts[actors, window] = (told["added"], told["removed"], told["kept"], rows)
    first, second = ("workspace_id=w1", 1), ("workspace_id=w2", 2)
    assert counts == {
        ("[a, b]", "60m"): (1, 0, 2, [("+", *second)]),
        ("b", "60m"): (1, 2, 0, [("+", *second), *[("-", *first)] * 2]),
        ("a", "60m"): (0, 0, 2, []),
        ("[a, b]", "2h"): (
            2,
            2,
            0,
            [("+", "workspace_id=w1", 2), ("+", *second), *[("-", *first)] * 2],
        ),
    }


KINDS = {
    "first_seen": "rules: [own_joined, own_granted], values: [action], "
    "group-by: [workspace_id], history: 1d, learning: 1h, new-groups: false",
    "absence": "after: [own_deleted], expected: [own_made], group-by: [workspace_id], timespan: 1h",
    "silence": "rules: [own_deleted], group-by: [workspace_id], timespan: 1h",
    "effective_access": "rules: [own_joined], entity-type: workspace_connection, role: manage, "
    "through: group",
    "effective_access of many": "rules: [own_granted], entity-type: workspace_connection, "
    "role: manage, through: group, members: 2",
}
FOUND = {
    "first_seen": {
        ("workspace_id=w1 action=group_member_added", 1),
        ("workspace_id=w2 action=connection_group_added_with_role", 1),
    },
    "absence": {("workspace_id=w1", 2), ("workspace_id=w2", 1)},
    "silence": {("workspace_id=w1", 2), ("workspace_id=w2", 1)},
    "effective_access": {("workspace_id=w1 member_id=m2 entity_id=c1 role=manage", 1)},
    "effective_access of many": {("workspace_id=w2 group_id=g1 entity_id=c1 role=manage", 1)},
}
PARTS = "".join(
    f"""\
title: {action}
name: own_{name}
logsource: {{product: analyst_studio, service: audit}}
detection: {{selection: {{action: {action}}}, condition: selection}}
auditstream: {{part: true}}
---
"""
    for name, action in {
        "deleted": "connection_deleted",
        "made": "connection_created",
        "joined": "group_member_added",
        "granted": "connection_group_added_with_role",
    }.items()
)


@pytest.fixture
def story(url: str, store: Store) -> str:
    """Deletions of c1, and Manage on it: in w1 m2 joins a group that has it, in w2 two get it."""
    store.command(f"TRUNCATE TABLE {store.database}.events")
    grant, join, delete = (
        "connection_group_added_with_role",
        "group_member_added",
        "connection_deleted",
    )
    told: list[tuple[int, str, str, str | None]] = [
        (0, delete, "w1", None),
        (90, delete, "w1", None),
        (0, delete, "w2", None),
        (1, delete, "w2", None),
        (100, grant, "w1", None),
        (101, join, "w1", "m2"),
        (100, join, "w2", "m1"),
        (101, join, "w2", "m2"),
        (102, grant, "w2", None),
    ]
    actions = [action for _, action, _, _ in told]
    known = shipped_catalogue().actions
    rows = event_rows(len(told)).with_columns(
        action=pl.Series(actions),
        outcome=pl.lit("success"),
        workspace_id=pl.Series([workspace for _, _, workspace, _ in told]),
        member_id=pl.Series([member for *_, member in told]),
        entity_type=pl.Series([known[action].entity_type for action in actions]),
        entity_id=pl.Series(["g1" if action == join else "c1" for action in actions]),
        group_id=pl.Series(["g1" if action == grant else None for action in actions]),
        role=pl.Series(["manage" if action == grant else None for action in actions]),
        role_rank=pl.Series([3 if action == grant else None for action in actions], dtype=pl.UInt8),
        previous_role=pl.lit(None, pl.String),
        previous_role_rank=pl.lit(None, pl.UInt8),
        ocsf_class_uid=pl.Series([known[action].ocsf.class_uid for action in actions]).cast(
            pl.UInt16
        ),
        ocsf_activity_id=pl.Series([known[action].ocsf.activity_id for action in actions]).cast(
            pl.UInt8
        ),
        occurred_at=pl.Series([START + timedelta(minutes=minutes) for minutes, *_ in told]),
    )
    append_events(store, STREAM, 0, None, rows, Event())
    return url


@pytest.mark.parametrize("kind", KINDS)
def test_extensions(auditstream: Command, story: str, tmp_path: Path, kind: str) -> None:
    """Our extensions are tried on history like correlations."""
    file = tmp_path / "own.yml"
    section = f"{kind.split()[0]}: {{{KINDS[kind]}}}"
    own = f"title: own\nname: own\nauditstream:\n  window: 10m\n  {section}\n"
    file.write_text(PARTS + own, encoding="utf-8")
    answer = auditstream("rules", "backtest", str(file), "--url", story, *SPAN)
    assert answer.code == 0, answer.err
    assert {(row["group"], row["alerts"]) for row in json.loads(answer.out)} == FOUND[kind]


def test_a_wrong_rule(auditstream: Command, url: str, tmp_path: Path) -> None:
    """An unknown name is refused, and what is wrong in a file is told with its line."""
    assert auditstream("rules", "backtest", "nothing", "--url", url).code == 2
    file = rule(tmp_path / "broken.yml", window="soon")
    answer = auditstream("rules", "backtest", file, "--url", url)
    assert answer.code == 1
    assert f"{file}:" in answer.err
