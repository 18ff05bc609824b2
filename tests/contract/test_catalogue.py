"""The catalogue: complete, well-formed, and clear about what is wrong with an entry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from auditstream.contract.catalogue import (
    load_catalogue,
    parse_catalogue,
    role_ranks,
    shipped_catalogue,
)
from auditstream.contract.resources import resource
from auditstream.errors import ContractError

ACTIONS = [
    "org_user_role_changed",
    "org_user_invited",
    "org_user_invitation_resent",
    "org_user_reinvited",
    "group_created",
    "group_member_added",
    "group_member_removed",
    "group_deleted",
    "workspace_default_access_changed",
    "collection_created",
    "collection_deleted",
    "collection_member_added",
    "collection_member_removed",
    "collection_member_access_changed",
    "collection_group_added",
    "collection_group_removed",
    "collection_group_access_changed",
    "connection_created",
    "connection_deleted",
    "connection_member_added_with_role",
    "connection_member_removed",
    "connection_group_added_with_role",
    "connection_group_removed",
    "connection_member_access_changed",
    "connection_group_access_changed",
    "audit_log_accessed",
]


def document() -> dict[str, Any]:
    """The shipped catalogue as plain data, to be edited."""
    loaded: dict[str, Any] = yaml.safe_load(resource("actions.yaml").read_text("utf-8"))
    return loaded


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the catalogue."""
    loaded: dict[str, Any] = json.loads(resource("actions.schema.json").read_text("utf-8"))
    return loaded


def test_all_actions() -> None:
    """The 26 audited actions are there, and no other."""
    assert sorted(shipped_catalogue().actions) == sorted(ACTIONS)


def test_catalogue_meets_its_json_schema() -> None:
    """The file has the form that its JSON Schema gives to editors and other languages."""
    jsonschema.validate(document(), json_schema())


def test_connection_roles() -> None:
    """A connection's roles are View, Query and Manage, in this order."""
    action = shipped_catalogue()["connection_group_added_with_role"]
    assert [action.rank(role) for role in ("view", "query", "manage", "owner")] == [1, 2, 3, None]


def test_none_is_rank_zero() -> None:
    """A scale with `none` starts at 0, so that any access outranks none."""
    assert role_ranks(("none", "view", "edit")) == {"none": 0, "view": 1, "edit": 2}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"category": "unheard_of"}, "category 'unheard_of'"),
        ({"severity": "terrible"}, "severity is one of"),
        ({"sentence": "{actor} met {stranger}"}, "{stranger}"),
        ({"required": ["colour"]}, "unknown field 'colour'"),
        ({"role_scale": "navy"}, "'navy'"),
        ({"role_scale": None}, "None"),
        ({"entity": {"type": "workspace_group"}}, "'argument'"),
    ],
)
def test_wrong_entry(change: dict[str, Any], told: str) -> None:
    """A wrong entry is refused with the file, the action and the place."""
    edited = document()
    edited["actions"]["org_user_role_changed"] |= change
    with pytest.raises(
        ContractError, match=r"catalogue\.yaml, action org_user_role_changed"
    ) as error:
        parse_catalogue(yaml.safe_dump(edited), "catalogue.yaml")
    assert told in str(error.value)


def test_wrong_name() -> None:
    """An action's name is lower case."""
    edited = document()
    edited["actions"]["GroupRenamed"] = edited["actions"]["group_created"]
    with pytest.raises(ContractError, match="GroupRenamed"):
        parse_catalogue(yaml.safe_dump(edited), "catalogue.yaml")


@pytest.mark.parametrize("text", ["", "a: [", "actions: 5", "[]"])
def test_not_a_catalogue(text: str, tmp_path: Path) -> None:
    """A file that is no catalogue is named in the error."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ContractError, match=r"mine\.yaml"):
        load_catalogue(path)


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named in the error."""
    with pytest.raises(ContractError, match=r"none\.yaml"):
        load_catalogue(tmp_path / "none.yaml")
