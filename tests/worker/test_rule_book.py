"""The rules in force: changed files are taken, wrong ones are told and stop no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.errors import ConfigurationError
from auditstream.pipeline.pipeline import Pipeline
from auditstream.settings import Settings
from auditstream.store.connection import connect
from auditstream.worker.rule_book import RuleBook
from tests.pipeline.events import NOW, encode, event, records
from tests.pipeline.past import NoPast

RULE = """\
title: {name}
name: {name}
logsource: {{product: analyst_studio, service: audit}}
detection:
  selection: {{action: group_deleted}}
  condition: selection
level: low
"""


def book(directory: Path) -> RuleBook:
    """The rules of a directory; the store is not asked for anything."""
    return RuleBook(
        directory, Pipeline(shipped_catalogue(), (), clock=lambda: NOW), connect(Settings())
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
