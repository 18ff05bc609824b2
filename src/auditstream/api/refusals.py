"""How a refusal is told.

Plainly on the published path, as problem details (RFC 9457) on ours, and as a page elsewhere.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from auditstream.api.explorer.render import refusal_page
from auditstream.errors import RefusedError, ServiceUnavailableError, StoreError

PROBLEM: Final = "application/problem+json"
PUBLISHED: Final = "/api/"
OURS: Final = ("/v1/", "/openapi.json")
_LOG: Final = logging.getLogger("auditstream.api")
_BUSY: Final = frozenset({159, 202, 241, 252})
"""ClickHouse's codes for a query that took too long, too many queries, or too much memory."""


def add_refusals(app: FastAPI) -> None:
    """Let the app answer every error in words for the client, without what is inside."""
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ServiceUnavailableError, _away)
    app.add_exception_handler(StoreError, _store)


def refusal(path: str, status: int, detail: str, headers: Mapping[str, str]) -> Response:
    """Return the answer to a request for `path` that is refused."""
    title = HTTPStatus(status).phrase
    body: dict[str, str | int]
    if path.startswith(PUBLISHED):
        name = "_".join(title.lower().replace("-", " ").split())
        body, media_type = {"id": name, "message": detail}, "application/json"
    elif not path.startswith(OURS):
        page = refusal_page(status, title, detail)
        page.headers.update(headers)
        return page
    else:
        body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        media_type = PROBLEM
    return Response(json.dumps(body), status, dict(headers), media_type)


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, RefusedError):
        return broken(request.url.path, error)
    return refusal(request.url.path, error.status, error.detail, error.headers)


def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        return broken(request.url.path, error)
    problems = [
        f"{'.'.join(map(str, item['loc'][1:]))}: "
        + ("is missing" if item["type"] == "missing" else item["msg"])
        for item in error.errors()
    ]
    return refusal(request.url.path, 400, "; ".join(problems), {})


def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return broken(request.url.path, error)
    return refusal(request.url.path, error.status_code, str(error.detail), error.headers or {})


def _away(request: Request, error: Exception) -> Response:
    _LOG.error("%s", error)
    return refusal(request.url.path, 503, "the log cannot be read now", {"Retry-After": "5"})


def _store(request: Request, error: Exception) -> Response:
    if isinstance(error, StoreError) and error.code in _BUSY:
        return _away(request, error)
    return broken(request.url.path, error)


def broken(path: str, error: Exception) -> Response:
    """Return the answer to a request that failed, and log why."""
    _LOG.error("a request failed", exc_info=error)
    return refusal(path, 500, "something went wrong here; it was logged", {})
