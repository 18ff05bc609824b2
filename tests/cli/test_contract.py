from __future__ import annotations

import json

import pytest
import yaml

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.contract.resources import resource
from auditstream.contract.schemas import SCHEMA_NAMES, load_schema
from tests.cli.conftest import Command


def test_actions_are_those_of_the_catalogue(auditstream: Command) -> None:
    """JSON has every action with all that the catalogue says of it."""
    actions = {row["action"]: row for row in json.loads(auditstream("actions", "-f", "json").out)}
    assert set(actions) == set(shipped_catalogue().actions)
    shown = actions["connection_member_added_with_role"]
    assert shown["required"] == ["member", "role"]
    assert shown["roles"] == ["view", "query", "manage"]
    assert shown["ocsf_class_uid"] == 3005


def test_actions_of_a_category(auditstream: Command) -> None:
    """--category leaves the others out."""
    table = auditstream("actions", "--category", "user_groups").out
    assert "group_member_added" in table
    assert "connection_created" not in table


def test_actions_of_another_catalogue(
    auditstream: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalogue that is printed is the one in force."""
    document = yaml.safe_load(resource("actions.yaml").read_text(encoding="utf-8"))
    document["actions"] = {"group_renamed": document["actions"]["group_created"]}
    with open("mine.yaml", "w") as file:  # noqa: PTH123
        yaml.safe_dump(document, file)
    monkeypatch.setenv("AUDITSTREAM_CATALOGUE_FILE", "mine.yaml")
    rows = json.loads(auditstream("actions", "-f", "json").out)
    assert [row["action"] for row in rows] == ["group_renamed"]


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_schema_is_printed_as_it_is_shipped(auditstream: Command, name: str) -> None:
    """What is printed is the Avro schema, ready to be saved."""
    printed = json.loads(auditstream("schema", name).out)
    assert printed == load_schema(name)


def test_schemas_are_listed_with_their_ids(auditstream: Command) -> None:
    """Without a name all are listed with the ids they travel under."""
    listed = auditstream("schema").out
    for name, number in (("audit_event", "1001"), ("alert", "2002"), ("rejected_event", "3001")):
        assert any(name in line and number in line for line in listed.splitlines())
