"""Saved questions: each against a story with a known answer, and what a question file must be."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Any

import polars as pl
import pytest

from auditstream.errors import ConfigurationError
from auditstream.store.ask import ask, ask_text, find_question, parse_question, shipped_questions
from auditstream.store.connection import Store
from auditstream.store.migrate import migrate
from auditstream.store.rejects import append_rejects
from tests.store.conftest import store_at
from tests.store.log import Log, act
from tests.store.rows import reject_rows

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CURL = "curl/8.1.2"
DATABASE = "audit_questions"


@pytest.fixture(scope="module", params=["embedded", pytest.param("server", marks=pytest.mark.real)])
def told(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The story, told once on each server."""
    fixture = "embedded_clickhouse" if request.param == "embedded" else "clickhouse_server"
    with store_at(request.getfixturevalue(fixture).url, DATABASE) as store:
        store.command(f"DROP DATABASE IF EXISTS {DATABASE} SYNC")
        migrate(store, 0)
        tell(store)
        yield store
        store.command(f"DROP DATABASE {DATABASE} SYNC")


def tell(store: Store) -> None:
    """Tell two weeks of a workspace; hours count from the first of May 2025."""
    log = Log(store)
    firefox, curl = {"user_agent": FIREFOX}, {"user_agent": CURL}
    log.arrive(
        240,
        act("org_user_role_changed", 1, member="eve", role="admin", previous_role="member"),
        act("connection_created", 2, "sales", request=firefox),
        act("connection_group_added_with_role", 3, "sales", group="g1", role="manage"),
        act("connection_member_added_with_role", 4, "sales", member="bob", role="query"),
        act("group_member_added", 5, "g1", member="joe", actor="eve"),
        act("audit_log_accessed", 6, actor="sam", request=curl),
        act(
            "connection_member_added_with_role",
            30,
            "sales",
            member="eve",
            role="manage",
            actor="eve",
        ),
        act("group_member_added", 31, "g1", member="bob", actor="eve"),
        act("connection_member_removed", 50, "sales", member="bob"),
        act("collection_created", 51, "board", role="view"),
        act("collection_group_added", 52, "board", group="g2", role="edit"),
        act("collection_member_added", 60, "board", member="tom", role="view"),
        act("collection_member_removed", 60.5, "board", member="tom", actor="eve"),
        act("connection_deleted", 61, "sales", actor="tom", outcome="denied"),
        act("connection_deleted", 62, "sales", actor="tom", outcome="denied"),
        act("audit_log_accessed", 70, actor="eve", request=curl),
        act("group_created", 200, "g3", request=curl),
        # The producer's numbers 18 and 20 are missing.
        act("group_created", 239, "g4", source={"sequence": 21}),
        act("group_created", 10, "x1", workspace="w2", actor="kim"),
    )
    rejects = reject_rows([1, 2]).with_columns(pl.lit("not_avro").alias("reason"))
    append_rejects(store, rejects, Event())


SINCE = {"since": "2025-05-01"}
SALES = {"thing": "Sales"}

ANSWERS: dict[str, tuple[dict[str, str], tuple[str, ...], list[tuple[Any, ...]]]] = {
    "who_could_use": (
        SALES | {"at": "2025-05-02T08:00:00+00:00"},
        ("who", "role", "through_what", "granted_by", "added_to_group_by"),
        [
            ("bob", "manage", "G1", "ana", "eve"),
            ("eve", "manage", "direct", "eve", None),
            ("joe", "manage", "G1", "ana", "eve"),
            ("bob", "query", "direct", "ana", None),
        ],
    ),
    "access_of_person": (
        {"person": "u-bob"},
        ("entity_type", "thing", "role", "through_what", "since"),
        [("workspace_connection", "Sales", "manage", "G1", "2025-05-02 07:00:00.000000")],
    ),
    "changes_by_person": (
        {"person": "eve", "days": "2", "limit": "2"},
        ("occurred_at", "sentence"),
        [
            ("2025-05-03 12:30:00.000000", "eve removed tom from collection Board"),
            ("2025-05-02 07:00:00.000000", "eve added bob to group G1"),
        ],
    ),
    "unreviewed_access": (
        SINCE,
        ("who", "thing", "role", "through_what", "granted_by", "added_to_group_by"),
        [
            ("bob", "Sales", "manage", "G1", "ana", "eve"),
            ("eve", "Sales", "manage", "direct", "eve", None),
        ],
    ),
    "who_has_manage": (
        {},
        ("who", "thing", "through_what"),
        [("bob", "Sales", "G1"), ("eve", "Sales", "direct"), ("joe", "Sales", "G1")],
    ),
    "access_left_after_removal": (
        {},
        ("who", "thing", "role_removed", "removed_by", "role_left", "through_what"),
        [("bob", "Sales", "query", "ana", "manage", "G1")],
    ),
    "manage_through_groups": (
        {},
        ("who", "thing", "through_what", "added_to_group_by"),
        [("bob", "Sales", "G1", "eve"), ("joe", "Sales", "G1", "eve")],
    ),
    "raised_roles": (
        SINCE,
        ("who", "role_from", "role_to", "rank_difference", "raised_by"),
        [("eve", "member", "admin", 1, "ana")],
    ),
    "self_grants": (
        SINCE,
        ("who", "role", "sentence"),
        [("eve", "manage", "eve gave eve the role manage on connection Sales")],
    ),
    "brief_access": (
        SINCE,
        ("seconds", "who", "thing", "role", "granted_by", "ended_by"),
        [(1800, "tom", "Board", "view", "ana", "eve")],
    ),
    "idle_managers": (SINCE, ("who", "things"), [("bob", 1), ("joe", 1)]),
    "denied_attempts": (
        SINCE,
        ("who", "tried", "outcome", "times"),
        [("tom", "connection deleted", "denied", 2)],
    ),
    "first_times": (
        {"since": "2025-05-03T20:00:00"},
        ("who", "kind", "value", "times_since"),
        [
            ("ana", "action", "group_created", 2),
            ("ana", "user_agent_family", "curl", 1),
            ("eve", "action", "audit_log_accessed", 1),
            ("eve", "user_agent_family", "curl", 1),
        ],
    ),
    "audit_log_readers": (SINCE, ("who", "times", "refused"), [("eve", 1, 0), ("sam", 1, 0)]),
    "open_to_everyone": ({}, ("thing", "role", "opened_by"), [("Board", "view", "ana")]),
    "group_reach": (
        {},
        ("group", "things", "managed", "members"),
        [("G1", 1, 1, 2), ("G2", 1, 0, 0)],
    ),
    "group_at_time": (
        {"group": "G1", "at": "2025-05-02"},
        ("who", "added_by", "until"),
        [("joe", "eve", None)],
    ),
    "learned_late": (
        SINCE | {"hours": "236", "workspace": "w1"},
        ("hours_late", "sentence"),
        [
            (236, "ana gave bob the role query on connection Sales"),
            (237, "ana gave group G1 the role manage on connection Sales"),
            (238, "ana created connection Sales"),
            (239, "ana changed the role of eve in workspace acme from member to admin"),
        ],
    ),
    "missing_events": (
        {},
        ("source_service", "source_instance", "missing_from", "missing_to", "missing"),
        [("console", "pod-1", 20, 20, 1), ("console", "pod-1", 18, 18, 1)],
    ),
    "rejected_records": (
        {"since": "2025-01-01"},
        ("reason", "records"),
        [("not_avro", 2)],
    ),
}


@pytest.mark.parametrize("name", [question.name for question in shipped_questions()])
def test_answers(told: Store, name: str) -> None:
    """Each question has the answer that the story gives."""
    values, columns, expected = ANSWERS[name]
    answer = ask(told, find_question(name), values)
    places = [answer.columns.index(column) for column in columns]
    assert [tuple(row[place] for place in places) for row in answer.rows] == expected
    if find_question(name).sql_within:
        within = ask(told, find_question(name), {**values, "workspace": "w1"})
        assert (within.columns, within.rows) == (answer.columns, answer.rows)


def test_things_of_one_name(store: Store) -> None:
    """Who could use things is told of all that have the name, within a workspace as well."""
    Log(store).arrive(
        9,
        act("connection_member_added_with_role", 1, "sales", member="bob", role="query"),
        act("connection_member_added_with_role", 2, "SALES", member="joe", role="view"),
        act(
            "connection_member_added_with_role",
            3,
            "Sales",
            workspace="w2",
            member="eve",
            role="view",
        ),
    )
    question = find_question("who_could_use")
    for values, expected in (
        ({"workspace": "w1"}, {"bob", "joe"}),
        ({"workspace": "w2"}, {"eve"}),
        ({}, {"bob", "joe", "eve"}),
    ):
        answer = ask(store, question, {"thing": "Sales", **values})
        assert {row[answer.columns.index("who")] for row in answer.rows} == expected


@pytest.mark.parametrize("question", shipped_questions(), ids=lambda question: question.name)
def test_a_workspace_confines(told: Store, question: Any) -> None:
    """Asked about another workspace, a question tells nothing of this one."""
    if not question.is_confined:
        assert question.name == "missing_events"
        return
    values = {**ANSWERS[question.name][0], "workspace": "w2"}
    assert ask(told, question, values).rows == ()


def test_values_are_never_sql(told: Store) -> None:
    """What looks like SQL is a value like any other."""
    for trick in ("' OR 1 = 1 --", "\\' OR 1 = 1 --", "{workspace:String}", "x\ty\nz"):
        assert ask(told, find_question("group_at_time"), {"group": trick}).rows == ()


def test_text(told: Store) -> None:
    """The answer can be had in any format of ClickHouse."""
    answer = ask_text(told, find_question("open_to_everyone"), {}, "CSVWithNames")
    assert answer.splitlines()[0].startswith('"workspace_id","entity_type","thing"')
    assert len(answer.splitlines()) == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "needs the parameter group: Identifier or name of the group"),
        ({"group": "g1", "grup": "g1"}, "has no parameter grup; it has group, at"),
        ({"group": "g1", "at": "yesterday"}, "'yesterday' is not a time"),
        ({"group": "g1", "limit": "-1"}, "'-1' is not a whole number"),
    ],
)
def test_wrong_values_are_told(values: dict[str, str], words: str) -> None:
    """A parameter that is missing, unknown or wrong is named."""
    with pytest.raises(ConfigurationError, match=words):
        find_question("group_at_time").bind(values)


def test_times_are_utc() -> None:
    """An offset is honoured; without one a time is UTC."""
    bind = find_question("group_at_time").bind
    assert bind({"group": "", "at": "2025-05-03T02:00:00+02:00"})["at"] == (
        "2025-05-03 00:00:00.000000"
    )
    assert bind({"group": "", "at": "2025-05-03"})["at"] == "2025-05-03 00:00:00.000000"


def test_unknown_question() -> None:
    """A name that is not there is told."""
    with pytest.raises(ConfigurationError, match="no question 'who'"):
        find_question("who")


@pytest.mark.parametrize(
    "text",
    ["-- titel: x\nSELECT 1", "-- title: x\nSELECT 1", "-- title: x\n-- parameter a: x\nSELECT"],
)
def test_a_wrong_header_is_told(text: str) -> None:
    """A file whose header cannot be read is named."""
    with pytest.raises(ConfigurationError, match="question q"):
        parse_question("q", text)
