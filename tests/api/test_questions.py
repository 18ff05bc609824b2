"""Saved questions over HTTP."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from auditstream.publish.envelope import Envelope
from auditstream.store.ask import Question, shipped_questions
from tests.api.conftest import NewToken, basic

PATH = "/v1/workspace-0/questions"


def test_questions_are_listed(client: TestClient, published: list[Envelope]) -> None:
    """Those that can be confined to a workspace, without the parameter that does it."""
    answer = client.get(PATH)
    assert answer.status_code == 200, answer.text
    told = answer.json()["questions"]
    confined = [question for question in shipped_questions() if question.is_confined]
    assert [question["name"] for question in told] == [question.name for question in confined]
    names = {parameter["name"] for question in told for parameter in question["parameters"]}
    assert "workspace" not in names
    assert len(published) == 1


@pytest.mark.parametrize("question", [each for each in shipped_questions() if each.is_confined])
@pytest.mark.usefixtures("published")
def test_each_question_is_answered(client: TestClient, question: Question) -> None:
    """With its required parameters alone."""
    required = {
        parameter.name: "2025-05-03" if "DateTime" in parameter.type else "someone"
        for parameter in question.parameters
        if parameter.required and parameter.name != "workspace"
    }
    name = question.name
    told = client.get(f"{PATH}/{name}", params=required)
    assert told.status_code == 200, told.text
    assert all(len(row) == len(told.json()["columns"]) for row in told.json()["rows"])


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("who_could_use", 400, "needs the parameter"),
        ("self_grants?limit=many", 400, "limit"),
        ("self_grants?limit=1000000", 400, "limit"),
        ("self_grants?colour=red", 400, "colour"),
        ("self_grants?workspace=0000000000000001", 400, "workspace"),
        ("self_grants?limit=1&limit=2", 400, "limit"),
        ("nothing_of_the_kind", 404, "no such question"),
        ("missing_events", 404, "no such question"),
    ],
)
@pytest.mark.usefixtures("published")
def test_wrong_questions_are_refused(client: TestClient, path: str, status: int, word: str) -> None:
    """As problem details that say what is wrong."""
    told = client.get(f"{PATH}/{path}")
    assert told.status_code == status, told.text
    assert told.headers["content-type"] == "application/problem+json"
    assert word in told.json()["detail"]


def test_answers_are_confined(
    nobody: TestClient, new_token: NewToken, published: list[Envelope]
) -> None:
    """Another workspace's questions are not its to ask, nor those of a token without the scope."""
    for issued in (new_token(1), new_token(scopes=("alerts",))):
        header = {"Authorization": basic(issued)}
        assert nobody.get(f"{PATH}/self_grants", headers=header).status_code == 403
    assert [event["outcome"] for event in published] == ["denied", "denied"]
