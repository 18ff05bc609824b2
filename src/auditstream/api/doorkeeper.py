"""What holds for every request and answer: bounds, headers, HEAD, and a line in the log."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auditstream.api.rate import Allowance
from auditstream.api.refusals import broken, refusal

MAX_TARGET: Final = 49_152
MAX_BODY: Final = 65_536

_LOG: Final = logging.getLogger("auditstream.api.access")
_HEADERS: Final = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
"""For answers that do not set them by themselves."""


class Doorkeeper:
    """The outermost layer of the app.

    Refuses what is too large before it is read, answers HEAD like GET without the body, and logs
    each request with its token's id; never a query or a header, which may hold secrets.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and its answer back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        state = scope.setdefault("state", {})
        head = scope["method"] == "HEAD"
        status = 0
        told = asyncio.Event()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, state.get("allowance"))
            elif head and message["type"] == "http.response.body":
                if told.is_set():
                    return
                told.set()
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        try:
            too_large = _too_large(scope)
            if too_large is not None:
                await too_large(scope, receive, answer)
            else:
                inner = {**scope, "method": "GET"} if head else scope
                body = _bounded(receive)
                await self._app(inner, _leaving(body, told) if head else body, answer)
        except Exception as error:
            if status:
                raise  # the answer breaks off, which tells the client
            await broken(scope["path"], error)(scope, receive, answer)
        finally:
            _LOG.info(
                "%s %r %d %.0f ms token=%s",
                scope["method"],
                scope["path"],
                status,
                (time.monotonic() - started) * 1000,
                state.get("token_id", "-"),
            )


def _leaving(receive: Receive, told: asyncio.Event) -> Receive:
    """Return what looks like a client that leaves once it was told the headers."""
    begun = False

    async def leaving() -> Message:
        nonlocal begun
        if not begun:
            begun = True
            return await receive()
        await told.wait()
        return {"type": "http.disconnect"}

    return leaving


def _add_headers(message: Message, allowance: Allowance | None) -> None:
    wanted = _HEADERS
    if allowance is not None:
        told = allowance.headers().items()
        wanted = _HEADERS | {name.lower().encode(): value.encode() for name, value in told}
    given = {name.lower() for name, _ in message.setdefault("headers", [])}
    message["headers"] = [
        *message["headers"],
        *((name, value) for name, value in wanted.items() if name not in given),
    ]


def _too_large(scope: Scope) -> ASGIApp | None:
    path = scope["path"]
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_TARGET:
        return refusal(path, 414, f"the URL is longer than {MAX_TARGET} bytes", {})
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or int(value) > MAX_BODY):
            return refusal(path, 413, f"the body is larger than {MAX_BODY} bytes", {})
    return None


def _bounded(receive: Receive) -> Receive:
    left = MAX_BODY

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            # A body without a length; to the app it looks like a client that went away.
            return {"type": "http.disconnect"}
        return message

    return bounded
