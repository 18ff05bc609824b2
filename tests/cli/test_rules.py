"""Rules as they are listed on the command line."""

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
