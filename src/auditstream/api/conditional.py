"""Answers that a client need not read twice: ETag and If-None-Match (RFC 9110, section 13)."""

from __future__ import annotations

import hashlib
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_STORED: Final = "private, no-cache"


def conditional(request: Request, body: bytes, media_type: str = "application/json") -> Response:
    """Return an answer with the body, or 304 if the client has just that."""
    tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": _STORED}
    known = request.headers.get("if-none-match", "")
    tags = {item.strip().removeprefix("W/") for item in known.split(",")}
    if tag in tags or "*" in tags:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)
