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
    answer = auditstream("rules", "mutate", str(file), "--format", "json")
    missed = [mutant["change"] for mutant in json.loads(answer.out) if not mutant["noticed"]]
    assert answer.code == 1
    assert len(missed) == 1
    assert ">= 0" in missed[0]
    file.write_text(RULE + SAME, encoding="utf-8")
    answer = auditstream("rules", "mutate", str(file))
    assert answer.code == 0, answer.out
    assert ", 0 not" in answer.out
