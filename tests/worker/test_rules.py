"""Rules in force: changed files are taken, wrong ones are told and stop no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.errors import ConfigurationError, ContractError
from auditstream.rules.rule import RuleSet
from auditstream.worker.rules import RulesInForce

RULE = """\
title: {name}
name: {name}
logsource: {{product: analyst_studio, service: audit}}
detection:
  selection: {{action: group_deleted}}
  condition: selection
level: low
"""


def names(rules: RuleSet) -> set[str]:
    """The rules that are not built in."""
    return {rule.name for rule in rules.rules if rule.name.startswith("own_")}


def test_reload(tmp_path: Path) -> None:
    """A file that breaks is told with its line; others stay, new ones come, mended ones return."""
    (tmp_path / "a.yml").write_text(RULE.format(name="own_a"))
    (tmp_path / "b.yml").write_text(RULE.format(name="own_b"))
    in_force = RulesInForce(tmp_path, shipped_catalogue())
    used: list[RuleSet] = []
    assert (names(in_force.rules), in_force.errors()) == ({"own_a", "own_b"}, {})
    assert not in_force.look(used.append)

    broken = tmp_path / "b.yml"
    broken.write_text(RULE.format(name="own_b").replace("{action:", "{acton:"))
    (tmp_path / "c.yml").write_text(RULE.format(name="own_c"))
    assert in_force.look(used.append)
    assert names(used[-1]) == {"own_a", "own_c"}
    (error,) = in_force.errors().items()
    assert error[0] == str(broken)
    assert error[1].startswith("line 5: ")
    assert "acton" in error[1]

    broken.write_text(RULE.format(name="own_b"))
    assert in_force.look(used.append)
    assert (names(used[-1]), in_force.errors()) == ({"own_a", "own_b", "own_c"}, {})


def test_what_cannot_be_used(tmp_path: Path) -> None:
    """Rules that cannot be compiled, or are away, leave those before in force, and are told."""
    directory = tmp_path / "rules"
    directory.mkdir()
    (directory / "a.yml").write_text(RULE.format(name="own_a"))
    in_force = RulesInForce(directory, shipped_catalogue())

    def refuse(rules: RuleSet) -> None:
        raise ContractError("no")

    (directory / "b.yml").write_text(RULE.format(name="own_b"))
    assert not in_force.look(refuse)
    assert names(in_force.rules) == {"own_a"}
    assert in_force.errors() == {str(directory): "no; the rules before stay in force"}

    directory.rename(tmp_path / "away")
    assert not in_force.look(lambda rules: None)
    assert "there is no directory" in in_force.errors()[str(directory)]
    (tmp_path / "away").rename(directory)
    assert in_force.look(lambda rules: None)
    assert (names(in_force.rules), in_force.errors()) == ({"own_a", "own_b"}, {})


def test_start(tmp_path: Path) -> None:
    """A wrong rule does not keep a worker from starting; a directory that is missing does."""
    (tmp_path / "a.yml").write_text("title: nothing else\n")
    (tmp_path / "b.yml").write_text(RULE.format(name="own_b"))
    in_force = RulesInForce(tmp_path, shipped_catalogue())
    assert names(in_force.rules) == {"own_b"}
    assert list(in_force.errors()) == [str(tmp_path / "a.yml")]
    with pytest.raises(ConfigurationError):
        RulesInForce(tmp_path / "missing", shipped_catalogue())
