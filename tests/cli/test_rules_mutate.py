"""Mutants of rules, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Command

RULE = """\
title: Role raised
name: raised
logsource: {product: analyst_studio, service: audit}
detection:
  selection: {action: org_user_role_changed, role_change|gt: 0}
  condition: selection
auditstream:
  cases:
    - event: {action: org_user_role_changed, previous_role: viewer, role: member}
      hit: true
    - event: {action: org_user_role_changed, previous_role: member, role: viewer}
      hit: false
    - event: {action: collection_member_access_changed, previous_role: view, role: edit}
      hit: false
"""
SAME = """\
    - event: {action: org_user_role_changed, previous_role: viewer, role: viewer}
      hit: false
"""


def test_what_cases_miss(auditstream: Command, tmp_path: Path) -> None:
    """A bound that no case is at goes unnoticed until one is; the exit code tells."""
    file = tmp_path / "raised.yml"
    file.write_text(RULE, encoding="utf-8")
    answer = auditstream("rules", "mutate", str(file), "--format", "json", "--stream-only")
    missed = [mutant["change"] for mutant in json.loads(answer.out) if not mutant["noticed"]]
    assert answer.code == 1
    assert len(missed) == 1
    assert ">= 0" in missed[0]
    file.write_text(RULE + SAME, encoding="utf-8")
    answer = auditstream("rules", "mutate", str(file), "--stream-only")
    assert answer.code == 0, answer.out
    assert ", 0 not" in answer.out


SEVERAL = """\
title: Group made
name: own_made
logsource: {product: analyst_studio, service: audit}
detection: {selection: {action: group_created}, condition: selection}
---
title: Group deleted
name: own_deleted
logsource: {product: analyst_studio, service: audit}
detection: {selection: {action: group_deleted}, condition: selection}
---
title: Group made and deleted
name: own_brief
correlation:
  type: temporal_ordered
  rules: [own_made, own_deleted]
  group-by: [entity_id]
  timespan: 10m
auditstream:
  cases:
    - events:
        - {action: group_created, entity_id: g-1, at: 0m}
        - {action: group_deleted, entity_id: g-1, at: 9m}
      hit: true
    - events:
        - {action: group_created, entity_id: g-1, at: 0m}
        - {action: group_deleted, entity_id: g-1, at: 11m}
      hit: false
"""
MORE = """\
    - events:
        - {action: group_deleted, entity_id: g-1, at: 0m}
        - {action: group_created, entity_id: g-1, at: 1m}
        - {action: group_deleted, entity_id: g-2, at: 2m}
      hit: false
"""


def test_what_cases_of_several_events_miss(auditstream: Command, tmp_path: Path) -> None:
    """Timespan, group, order and rules are changed; a case for each is wanted."""
    file = tmp_path / "brief.yml"
    file.write_text(SEVERAL, encoding="utf-8")
    answer = auditstream("rules", "mutate", str(file), "--format", "json")
    told = {mutant["change"]: mutant["noticed"] for mutant in json.loads(answer.out)}
    assert answer.code == 1
    assert {change for change, noticed in told.items() if noticed} == {
        "timespan 5m in place of 10m",
        "timespan 20m in place of 10m",
        "in the opposite order",
        "without rule own_made",
        "without rule own_deleted",
    }
    assert {change for change, noticed in told.items() if not noticed} == {
        "without entity_id in group-by",
        "in any order",
    }
    file.write_text(SEVERAL + MORE, encoding="utf-8")
    answer = auditstream("rules", "mutate", str(file))
    assert answer.code == 0, answer.out
    assert answer.out.startswith("7 changes noticed, 0 not, in ")
    assert auditstream("rules", "mutate", str(file), "--stream-only").out.startswith("0 changes")
