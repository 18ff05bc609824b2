"""Saved questions: the list, and the form of each with its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from auditstream.api.explorer.visit import Visit, visiting
from auditstream.errors import ConfigurationError, RefusedError
from auditstream.store.ask import WORKSPACE, Parameter, Question, ask, shipped_questions
from auditstream.store.query import Table

MOST_ROWS: Final = 1_000
_LIMIT: Final = "limit"
_MOST_TEXT: Final = 500

router = APIRouter()
Asker = Annotated[Visit, Depends(visiting("read"))]


@dataclass(frozen=True)
class Input:
    """A field of the form of a question."""

    parameter: Parameter
    value: str

    @property
    def kind(self) -> str:
        """What a browser asks for."""
        if "DateTime" in self.parameter.type:
            return "datetime-local"
        return "number" if "Int" in self.parameter.type else "text"


def open_questions() -> tuple[Question, ...]:
    """Return the questions that can be asked about one workspace alone."""
    return tuple(question for question in shipped_questions() if question.is_confined)


@router.get("/questions")
async def list_questions(visit: Asker) -> Response:
    """Show the questions."""
    return await run_in_threadpool(_list, visit)


@router.get("/questions/{name}")
async def show_question(name: str, request: Request, visit: Asker) -> Response:
    """Show a question, and its answer as soon as it has all that it needs."""
    given = {
        key: value.strip()[:_MOST_TEXT]
        for key, value in request.query_params.items()
        if value.strip()
    }
    return await run_in_threadpool(_answer, visit, name, given)


def _list(visit: Visit) -> Response:
    visit.record(0)
    return visit.page("questions.html", questions=open_questions())


def _answer(visit: Visit, name: str, given: Mapping[str, str]) -> Response:
    question = next((item for item in open_questions() if item.name == name), None)
    if question is None:
        visit.record(0)
        raise RefusedError(404, "there is no such question")
    if WORKSPACE in given:
        raise RefusedError(400, "workspace: it is the one that was signed in to")
    own = [item for item in question.parameters if item.name != WORKSPACE]
    table, words = None, ""
    if all(item.name in given or not item.required for item in own):
        table, words = _asked(visit, question, given)
    elif given:
        words = "Fill in what is needed."
    visit.record(len(table.rows) if table else 0)
    answer = visit.page(
        "question.html",
        question=question,
        inputs=[Input(item, given.get(item.name) or item.default or "") for item in own],
        table=table,
        words=words,
    )
    answer.status_code = 400 if words else 200
    return answer


def _asked(visit: Visit, question: Question, given: Mapping[str, str]) -> tuple[Table | None, str]:
    limit = given.get(_LIMIT, "")
    if limit.isdecimal() and int(limit) > MOST_ROWS:
        return None, f"limit: at most {MOST_ROWS:,} rows are shown on a page"
    try:
        confined = {**given, WORKSPACE: visit.token.workspace_id}
        return ask(visit.services.store, question, confined), ""
    except ConfigurationError as error:
        return None, str(error)
