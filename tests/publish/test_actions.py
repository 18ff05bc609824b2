"""The typed calls: in sync with the catalogue, and understood by a type checker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from auditstream.contract.catalogue import parse_catalogue, shipped_catalogue
from auditstream.contract.resources import resource
from auditstream.errors import ContractError
from auditstream.publish.generate import ACTIONS_FILE, generate

HEAD = """\
from auditstream import Actor, AuditLog, Group, Member, Ref, Workspace

audit = AuditLog(service="billing")
w = Workspace("w-1")
c = Ref("c-1")
g = Group("g-1")
m = Member("m-1")
"""
RIGHT = (
    'audit.connection_group_added_with_role(workspace=w, connection=c, group=g, role="manage")',
    "audit.connection_created(connection=c)",
    'audit.org_user_invited(workspace=w, member=m, outcome="denied", actor=Actor("u-1"))',
    'event_id: str = audit.group_created(workspace=w, group=g, metadata={"key": "value"})',
    'audit.emit("any", workspace=w, entity=c, member=m, role="any", request_id="r-1")',
)
WRONG = {
    "audit.connection_group_added_with_role(workspace=w, connection=c, group=g)": "role",
    'audit.connection_group_added_with_role(connection=c, group=g, roel="manage")': "roel",
    'audit.connection_group_added_with_role(connection=c, group=g, role="owner")': "Literal",
    'audit.connection_group_added_with_role(connection=c, group=m, role="view")': "Group",
    "audit.connection_created(workspace=w)": "connection",
    "audit.connection_created(workspace=w, collection=c)": "collection",
    "audit.org_user_invited(member=m)": "workspace",
    'audit.org_user_invited(workspace=w, member=m, outcome="maybe")': "outcome",
    "audit.org_user_invited(workspace=w, member=m, actr=None)": "actr",
    "audit.org_user_inivted(workspace=w, member=m)": "org_user_inivted",
    'AuditLog(sevice="billing")': "sevice",
    'AuditLog(service="billing", durability="paper")': "durability",
}


def test_in_sync_with_the_catalogue() -> None:
    """The file is what the generator makes; `python -m auditstream.publish.generate` renews it."""
    assert ACTIONS_FILE.read_text(encoding="utf-8") == generate(shipped_catalogue())


def test_entity_argument_that_clashes() -> None:
    """An entity's argument that is the name of a field too is an error of the catalogue."""
    text = resource("actions.yaml").read_text(encoding="utf-8")
    wrong = text.replace("argument: collection}", "argument: member}")
    with pytest.raises(ContractError, match=r"collection_member_added.*'member'"):
        generate(parse_catalogue(wrong, "test"))


def test_type_checker(tmp_path: Path) -> None:
    """mypy, strict, finds each mistake in a producer's code, and none where there is none."""
    program = tmp_path / "producer.py"
    lines = [*HEAD.splitlines(), *RIGHT, *WRONG]
    program.write_text("\n".join(lines) + "\n")
    cache = tmp_path / "cache"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            f"--cache-dir={cache}",
            "--config-file=",
            program,
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    found: dict[int, str] = {}
    for line in done.stdout.splitlines():
        place, _, message = line.partition(": error: ")
        if message:
            assert place.startswith(str(program)), line
            number = int(place.rpartition(":")[2])
            found[number] = found.get(number, "") + message
    first_wrong = len(lines) - len(WRONG) + 1
    assert sorted(found) == list(range(first_wrong, len(lines) + 1)), done.stdout
    for number, word in enumerate(WRONG.values(), start=first_wrong):
        assert word in found[number]
