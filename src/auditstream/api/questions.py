"""Saved questions about a workspace, and their answers."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Depends, Path, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from auditstream.api.accept import require_accepted
from auditstream.api.accesses import Access, record_access
from auditstream.api.admit import admitting
from auditstream.api.conditional import conditional
from auditstream.api.documents import SECURITY, Answer, Questions, refusals
from auditstream.api.services import Services, services_of
from auditstream.errors import ConfigurationError, RefusedError, StoreError
from auditstream.store.ask import WORKSPACE, Question, ask, shipped_questions

MAX_ROWS: Final = 10_000
_JSON: Final = "application/json"
_WRONG_VALUE: Final = frozenset({6, 27, 41, 53, 72, 457})
"""ClickHouse's codes for a parameter that is not of its type."""

_PARAMETERS: Final[dict[str, Any]] = {
    **SECURITY,
    "parameters": [
        {
            "name": "parameters",
            "in": "query",
            "required": False,
            "description": "Those of the question, by their names; see the list of questions.",
            "style": "form",
            "explode": True,
            "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        }
    ],
}

router = APIRouter(prefix="/v1/{workspace_username}/questions", tags=["questions"])
Reader: TypeAlias = Annotated[Access, Depends(admitting("read"))]


@router.get(
    "",
    response_class=Response,
    responses={200: {"model": Questions, "description": "What can be asked."}, **refusals()},
    openapi_extra=SECURITY,
)
async def questions(request: Request, access: Reader) -> Response:
    """Return the saved questions, in the order of their names."""
    require_accepted(request.headers.get("accept"), _JSON)
    await run_in_threadpool(record_access, services_of(request).audit, access, 0)
    told = [_told(question) for question in shipped_questions() if question.is_confined]
    return conditional(request, json.dumps({"questions": told}, ensure_ascii=False).encode())


@router.get(
    "/{name}",
    response_class=Response,
    responses={
        200: {"model": Answer, "description": "The answer."},
        **refusals((404, "There is no such question.")),
    },
    openapi_extra=_PARAMETERS,
)
async def answer(
    request: Request,
    access: Reader,
    name: Annotated[
        str, Path(max_length=256, description="Name of the question.", examples=["self_grants"])
    ],
) -> Response:
    """Return the answer to a saved question about the workspace."""
    require_accepted(request.headers.get("accept"), _JSON)
    values = _values(request)
    body = await run_in_threadpool(_answer, services_of(request), access, name, values)
    return conditional(request, body)


def _values(request: Request) -> dict[str, str]:
    query = request.query_params
    for name in query:
        if len(query.getlist(name)) > 1:
            raise RefusedError(400, f"{name}: is given more than once")
    if WORKSPACE in query:
        raise RefusedError(400, f"{WORKSPACE}: is that of the path")
    limit = query.get("limit", "")
    if limit.isdecimal() and int(limit[:10]) > MAX_ROWS:
        raise RefusedError(400, f"limit: is more than {MAX_ROWS}")
    return dict(query)


def _answer(services: Services, access: Access, name: str, values: dict[str, str]) -> bytes:
    found = [each for each in shipped_questions() if each.name == name and each.is_confined]
    if not found:
        record_access(services.audit, access, 0)
        raise RefusedError(404, "there is no such question")
    try:
        table = ask(services.store, found[0], {**values, WORKSPACE: access.token.workspace_id})
    except ConfigurationError as error:
        raise RefusedError(400, str(error)) from None
    except StoreError as error:
        if error.code not in _WRONG_VALUE:
            raise
        raise RefusedError(400, "a parameter is not of its type") from error
    record_access(services.audit, access, len(table.rows))
    columns = [
        {"name": column, "type": kind}
        for column, kind in zip(table.columns, table.types, strict=True)
    ]
    told = {"question": name, "columns": columns, "rows": table.rows}
    return json.dumps(told, ensure_ascii=False).encode()


def _told(question: Question) -> dict[str, Any]:
    return {
        "name": question.name,
        "title": question.title,
        "description": question.description,
        "parameters": [
            {
                "name": parameter.name,
                "type": parameter.type,
                "description": parameter.help,
                "required": parameter.required,
                "default": parameter.default,
            }
            for parameter in question.parameters
            if parameter.name != WORKSPACE
        ],
    }
