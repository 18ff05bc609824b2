"""Middlewares that fill the audit context from each request. They need no web framework."""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from auditstream.publish.context import audit_context, set_audit_context
from auditstream.publish.request import request_values
from auditstream.publish.values import Actor

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
AsgiApp: TypeAlias = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


class AuditMiddleware:
    """ASGI middleware: events emitted while a request is served know who sent it, and from where.

    `actor_of` is given the scope at each event, so it also finds what a later middleware put
    there; it returns None when nobody is signed in. `trusted_proxies` is how many proxies of
    yours stand in front and add to X-Forwarded-For; with 0 that header is not believed.
    """

    def __init__(
        self,
        app: AsgiApp,
        *,
        actor_of: Callable[[Scope], Actor | None] | None = None,
        trusted_proxies: int = 0,
    ) -> None:
        self._app = app
        self._actor_of = actor_of
        self._trusted_proxies = trusted_proxies

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Serve a request within its audit context."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        values = request_values(
            partial(_asgi_header, scope), client[0] if client else None, self._trusted_proxies
        )
        if self._actor_of is not None:
            values["actor"] = partial(self._actor_of, scope)
        with audit_context(**values):
            await self._app(scope, receive, send)


class WsgiAuditMiddleware:
    """WSGI middleware: the same as AuditMiddleware; `actor_of` is given the environ."""

    def __init__(
        self,
        app: WSGIApplication,
        *,
        actor_of: Callable[[WSGIEnvironment], Actor | None] | None = None,
        trusted_proxies: int = 0,
    ) -> None:
        self._app = app
        self._actor_of = actor_of
        self._trusted_proxies = trusted_proxies

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request within its audit context, the body included."""
        values = request_values(
            partial(_wsgi_header, environ), environ.get("REMOTE_ADDR"), self._trusted_proxies
        )
        if self._actor_of is not None:
            values["actor"] = partial(self._actor_of, environ)
        context = contextvars.copy_context()
        context.run(partial(set_audit_context, **values))
        return _Body(context, context.run(self._app, environ, start_response))


class _Body:
    """The body of a response, made within the context of its request."""

    def __init__(self, context: contextvars.Context, body: Iterable[bytes]) -> None:
        self._context = context
        self._body = body
        self._chunks = context.run(iter, body)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._context.run(next, self._chunks)

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            self._context.run(close)


def _asgi_header(scope: Scope, name: str) -> str | None:
    wanted = name.encode()
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == wanted]
    return ",".join(values) if values else None


def _wsgi_header(environ: WSGIEnvironment, name: str) -> str | None:
    return environ.get("HTTP_" + name.upper().replace("-", "_"))
