from __future__ import annotations

import json

import pytest

from auditstream.settings import Settings
from auditstream.store.connection import Store
from tests.cli.conftest import Command
from tests.store.log import Log, act


@pytest.fixture(autouse=True)
def address(services: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands find the services by the environment."""
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE_URL", services.clickhouse_url)


def test_questions_are_listed(auditstream: Command) -> None:
    """Without a name: every question with its title and parameters, optional ones in brackets."""
    outcome = auditstream("ask")
    assert outcome.code == 0
    line = next(line for line in outcome.out.splitlines() if line.startswith("who_could_use"))
    assert "Who could use a connection or collection at a time" in line
    assert line.endswith("thing, [at], [workspace], [limit]")
    listed = json.loads(auditstream("ask", "-f", "json").out)
    assert len(listed) >= 15
    thing = next(item for item in listed if item["name"] == "who_could_use")["parameters"][0]
    assert (thing["name"], thing["type"], thing["required"]) == ("thing", "String", True)


def test_an_answer_is_printed(auditstream: Command, store: Store) -> None:
    """As a table, as JSON and as CSV."""
    Log(store).arrive(
        2, act("connection_member_added_with_role", 1, "sales", member="bob", role="query")
    )
    question = ("ask", "who_could_use", "--param", "thing=Sales", "-p", "at=2025-05-03")
    outcome = auditstream(*question)
    assert outcome.code == 0
    assert "bob" in outcome.out
    rows = json.loads(auditstream(*question, "-f", "json").out)
    assert [(row["who"], row["role"], row["through_what"]) for row in rows] == [
        ("bob", "query", "direct")
    ]
    header, row = auditstream(*question, "-f", "csv").out.splitlines()
    assert header.startswith("thing,who,role,")
    assert row.startswith("Sales,bob,query,")
    assert auditstream("ask", "who_could_use", "-p", "thing=Other", "-f", "json").out == "[]\n"


def test_the_sql_is_shown(auditstream: Command) -> None:
    """So that an analyst can go on from it."""
    shown = auditstream("ask", "who_could_use", "--sql").out
    assert shown.startswith("-- Who could use a connection")
    assert "FROM effective_access" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ask", "who"), "no question 'who'"),
        (("ask", "who_could_use"), "needs the parameter thing"),
        (("ask", "who_could_use", "-p", "thing"), "NAME=VALUE"),
        (("ask", "who_could_use", "-p", "thing=x", "-p", "at=noon"), "'noon' is not a time"),
    ],
)
def test_wrong_usage(auditstream: Command, arguments: tuple[str, ...], words: str) -> None:
    """An unknown question or a wrong parameter is told, with code 2."""
    outcome = auditstream(*arguments)
    assert outcome.code == 2
    assert words in outcome.err
