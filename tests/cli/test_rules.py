"""Rules on the command line: the list of them, and their cases."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Command

RULES = """\
title: Group deleted
name: own_deleted
logsource: {product: analyst_studio, service: audit}
detection:
  selection: {action: [group_deleted, collection_deleted]}
  condition: selection
tags: [attack.impact, attack.t1531]
---
title: Many groups deleted
name: own_many
level: high
correlation:
  type: event_count
  rules: [own_deleted]
  group-by: [actor_id]
  timespan: 10m
  condition: {gte: 5}
tags: [team.access]
"""


def test_list(auditstream: Command, tmp_path: Path) -> None:
    """A rule is listed with its tags and the actions that may give cause to it."""
    (tmp_path / "rules.yml").write_text(RULES, encoding="utf-8")
    found = json.loads(auditstream("rules", "list", str(tmp_path), "--format", "json").out)
    actions = ["collection_deleted", "group_deleted"]
    assert [(r["name"], r["kind"], r["tags"], r["actions"]) for r in found] == [
        ("own_deleted", "event", ["attack.impact", "attack.t1531"], actions),
        ("own_many", "event_count", ["team.access"], actions),
    ]
    many = auditstream("rules", "list", "--format", "table").out.splitlines()
    assert next(line for line in many if line.startswith("denied_attempts ")).split()[-2] == "26"


PART = """\
title: Group of a team deleted
name: own_deleted
logsource: {product: analyst_studio, service: audit}
detection: {selection: {action: group_deleted}, condition: selection}
auditstream:
  cases:
    - event: {action: group_created}
      hit: %s
"""
TEAM = """\
title: Groups of a team deleted
name: own_by_team
correlation:
  type: event_count
  rules: [own_deleted]
  group-by: [metadata.team]
  timespan: 10m
  condition: {gte: 2}
auditstream:
  sentence: "{count} groups of a team were deleted"
  cases:
    - events:
        - {action: group_deleted, metadata: {team: red}}
        - {action: group_deleted, metadata: {team: red}}
      hit: true
      sentence: 2 groups of a team were deleted
    - events:
        - {action: group_deleted, metadata: {team: red}}
        - {action: group_deleted, metadata: {team: blue}}
        - {action: group_deleted}
        - {action: group_deleted}
      hit: false
"""


def test_cases(auditstream: Command, tmp_path: Path) -> None:
    """Cases are run, for rules that rest on other files as well; what does not hold is told."""
    (tmp_path / "team.yml").write_text(TEAM, encoding="utf-8")
    file = tmp_path / "part.yml"
    file.write_text(PART % "true", encoding="utf-8")
    answer = auditstream("rules", "test", str(tmp_path / "team.yml"))
    assert (answer.code, answer.out) == (0, "2 as expected, 0 not\n"), answer.err
    answer = auditstream("rules", "test", str(tmp_path), "--stream-only")
    assert answer.code == 1
    assert answer.out.splitlines() == [
        f"{file}:7: own_deleted on the stream: a hit was expected, there is none",
        "0 as expected, 1 not",
    ]
