"""The built-in rules: each case beside them holds, and each is written for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import polars as pl
import pytest

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.embedded import ClickHouse
from auditstream.pipeline.look_up import ROLE_SCHEMA
from auditstream.rules.files import builtin_directory, runbook_page
from auditstream.rules.lint import Described, advice, described
from auditstream.rules.load import load_rules, parse_rules
from auditstream.rules.rule import RuleSet
from auditstream.store.connection import Store
from auditstream.store.migrate import migrate
from auditstream.worker.cases import Verdict, run_cases
from tests.pipeline.batches import pipeline
from tests.pipeline.events import NOW, encode, event, records
from tests.pipeline.past import Past
from tests.store.conftest import store_at

TO_MEMBER = "connection_manage_granted_to_member"
TO_GROUP = "connection_manage_granted_to_group"


@cache
def rules() -> RuleSet:
    return load_rules()


def alerting() -> list[Described]:
    return [rule for rule in described(rules()) if rule.alerts]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store of whose events nothing is kept."""
    directory = tmp_path_factory.mktemp("cases")
    with (
        ClickHouse(directory / "data", log_path=directory / "log") as server,
        store_at(server.url, "audit") as store,
    ):
        migrate(store, 0)
        yield store


@pytest.fixture(scope="module")
def verdicts(scratch: Store) -> list[Verdict]:
    """What the cases of all rules come to."""
    return run_cases(rules(), shipped_catalogue(), scratch)


def test_every_case_holds(verdicts: list[Verdict]) -> None:
    """On the stream and on the table each rule fires where its cases say so, and not elsewhere."""
    assert [str(verdict) for verdict in verdicts if verdict.problem] == []
    assert {verdict.engine for verdict in verdicts} == {"stream", "table"}
    assert len(verdicts) > 250


def test_every_rule_has_cases(verdicts: list[Verdict]) -> None:
    """No rule that raises alerts goes untested."""
    assert {rule.name for rule in alerting()} <= {verdict.rule for verdict in verdicts}


def test_nothing_is_missing_for_people() -> None:
    """Description, runbook, false positives, ATT&CK and cases of both kinds are there."""
    assert [str(problem) for problem in advice(rules())] == []


@pytest.mark.parametrize("rule", alerting(), ids=lambda rule: rule.name)
def test_written_for_people(rule: Described) -> None:
    """A rule tells what it means, and its runbook what to look at and to do."""
    assert len(rule.description.split()) > 12
    page = runbook_page(str(rule.runbook))
    assert page is not None
    assert "## Is it wanted?" in page
    assert "## If it is not" in page


def test_what_there_is() -> None:
    """There are rules for what a reviewer would ask of such a log."""
    names = {rule.name for rule in alerting()}
    assert len(names) >= 24
    assert {TO_MEMBER, TO_GROUP, "role_escalation_to_admin", "mass_removals"} <= names
    ids = [rule.sigma_id for rule in rules().rules]
    assert len(set(ids)) == len(ids)


def test_parts_are_silent() -> None:
    """What rules rest on raises no alert when all that rests on it was replaced or removed."""
    text = builtin_directory().joinpath("parts.yml").read_text(encoding="utf-8")
    assert [rule.name for rule in parse_rules(text, "parts.yml").rules if rule.alerts] == []


def held(role: str | None, subject: tuple[str, str], entity: tuple[str, str]) -> Past:
    """Return a history in which a role was held an hour ago; type and id name whose and on what."""
    row = ["w1", *entity, *subject, NOW - timedelta(hours=1), 1, role]
    return Past(role_rows=pl.DataFrame([row], schema=ROLE_SCHEMA, orient="row"))


def alerts(action: str, past: Past | None = None, **fields: Any) -> list[tuple[str, str]]:
    given = records([encode(event(action, **fields))])
    return [
        (alert.rule_id, alert.sentence)
        for alert in pipeline().process(given, past or Past()).alerts
    ]


def test_escalation_by_the_history() -> None:
    """A higher role than the last known one is an escalation too."""
    past = held("viewer", ("member", "u2"), ("workspace", "workspace-1"))
    assert alerts("org_user_role_changed", past, role="admin") == [
        ("role_escalation_to_admin", "ana raised bob from viewer to admin in workspace acme")
    ]


@pytest.mark.parametrize(
    ("action", "rule", "whom"),
    [
        ("connection_member_added_with_role", TO_MEMBER, "bob"),
        ("connection_member_access_changed", TO_MEMBER, "bob"),
        ("connection_group_added_with_role", TO_GROUP, "group Finance"),
        ("connection_group_access_changed", TO_GROUP, "group Finance"),
    ],
)
def test_manage_granted(action: str, rule: str, whom: str) -> None:
    """Manage is an alert when it is new, whatever was before, and none when it is not."""
    subject = ("member", "u2") if rule == TO_MEMBER else ("group", "g1")
    sentence = f"ana gave {whom} the role manage on connection Sales in workspace acme"
    entity = ("workspace_connection", "workspace_connection-1")
    assert alerts(action) == [(rule, sentence)]
    assert alerts(action, held(None, subject, entity)) == [(rule, sentence)]
    assert alerts(action, held("query", subject, entity)) == [
        (rule, f"{sentence}, before it was query")
    ]
    assert alerts(action, held("manage", subject, entity)) == []
