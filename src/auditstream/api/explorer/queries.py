"""Filters as they come from a form: a field that was left empty is no filter."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError
from starlette.requests import Request

from auditstream.api.event_query import EventQuery
from auditstream.errors import RefusedError

Q = TypeVar("Q", bound=EventQuery)


def read_query(kind: type[Q], request: Request) -> Q:
    """Return the query of a request.

    Raises:
        RefusedError: 400, a parameter is wrong; the detail names it.
    """
    given: dict[str, str | list[str]] = {}
    for name in request.query_params:
        values = [value.strip() for value in request.query_params.getlist(name) if value.strip()]
        field = kind.model_fields.get(name)
        if values:
            given[name] = values if field and field.default_factory is list else values[-1]
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise RefusedError(400, "; ".join(problems)) from None
