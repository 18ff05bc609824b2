"""Routes that read their requests themselves.

FastAPI describes a route by the arguments of its function and fills them in at each request, which
takes longer than all else there is to do for a page that was read ahead. The description is kept
here; the arguments are filled in by one model.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from auditstream.api.accesses import Access
from auditstream.api.admit import admitting
from auditstream.store.tokens import Scope

Q = TypeVar("Q", bound=BaseModel)


def reading(model: type[Q], scope: Scope) -> type[APIRoute]:
    """Return the class of routes of `(request, access, query)`: a page for a token of the scope.

    The route's path names the workspace `workspace_username`; `query` is a `model`, each of whose
    fields is one text at most.
    """
    admit = admitting(scope)

    class Reading(APIRoute):
        """A route that reads its request itself."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            """Return what answers a request, or raises as the route's dependencies would."""
            answer: Callable[[Request, Access, Q], Awaitable[Response]] = self.endpoint

            async def handle(request: Request) -> Response:
                access = await admit(request, request.path_params["workspace_username"])
                return await answer(request, access, _query(model, request))

            return handle

    return Reading


def _query(model: type[Q], request: Request) -> Q:
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise RequestValidationError(
            [
                {**problem, "loc": ("query", *problem["loc"])}
                for problem in error.errors(include_url=False)
            ]
        ) from None
