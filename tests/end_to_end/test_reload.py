"""Rules change under a worker: no restart, no rule that stops another, and on-call is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditstream.rules.load import load_rules
from tests.end_to_end.conftest import NewSystem
from tests.end_to_end.test_correlations import delete
from tests.stack.poll import eventually

pytestmark = pytest.mark.timeout(240)

RULE = """\
title: {name}
name: {name}
logsource: {{product: analyst_studio, service: audit}}
detection:
  selection: {{action: group_deleted, entity_id|startswith: "{group}"}}
  condition: selection
level: low
"""


def test_reload(new_system: NewSystem, tmp_path: Path) -> None:
    """A rule that breaks is an alert that ends when it is mended; the others fire, new ones too."""
    rules = tmp_path / "rules"
    rules.mkdir()
    mended = RULE.format(name="own_a", group="a")
    (rules / "a.yml").write_text(mended.replace("{action:", "{acton:"))
    (rules / "b.yml").write_text(RULE.format(name="own_b", group="b"))
    system = new_system(rules_dir=rules, health_seconds=0.5)
    worker = system.worker()
    delete(system, "b-1")
    states = f"{system.settings.clickhouse_database}.alert_states"

    def rule_error() -> list[tuple[str, str]]:
        query = f"SELECT state, sentence FROM {states} WHERE rule_id = 'health_rule_error'"
        return [(str(row[0]), str(row[1])) for row in system.ask(query)]

    def fired() -> set[tuple[str, str]]:
        rows = system.ask("SELECT rule_id, rule_hash FROM alerts WHERE rule_id LIKE 'own_%'")
        return {(str(row[0]), str(row[1])) for row in rows}

    eventually(lambda: len(fired()) == 1 and rule_error(), within=60, what="both alerts")
    ((state, sentence),) = rule_error()
    assert state == "open"
    assert f"{rules / 'a.yml'}:5 does not work: " in sentence
    assert "acton" in sentence

    (rules / "c.yml").write_text(RULE.format(name="own_c", group="c"))
    (rules / "a.yml").write_text(mended)
    eventually(lambda: rule_error()[0][0] == "resolved", within=30, what="the end of the error")
    delete(system, "a-1", "c-1")
    eventually(lambda: len(fired()) == 3, within=30, what="the alerts of the new rules")
    hashes = {rule.name: rule.content_hash for rule in load_rules(rules).rules}
    assert fired() == {(name, hashes[name]) for name in ("own_a", "own_b", "own_c")}
    assert worker.stop(within=30) == 0
