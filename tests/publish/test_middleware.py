"""The ASGI and WSGI middlewares: the context of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.util import setup_testing_defaults

import pytest

from auditstream import (
    Actor,
    AuditContext,
    AuditLog,
    AuditMiddleware,
    Ref,
    Workspace,
    WsgiAuditMiddleware,
    capture_events,
    current_audit_context,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"

Serve = Callable[..., AuditContext]


def through_asgi(
    headers: list[tuple[str, str]],
    peer: str | None = "198.51.100.1",
    actor_of: Any = None,
    trusted_proxies: int = 0,
) -> AuditContext:
    """Return the context that an ASGI app sees."""
    seen: list[AuditContext] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = "u-7"  # as an authentication that comes later does
        await asyncio.sleep(0)
        seen.append(current_audit_context())

    async def channel(*_: Any) -> Any:
        raise AssertionError

    scope = {
        "type": "http",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": (peer, 4711) if peer else None,
    }
    middleware = AuditMiddleware(app, actor_of=actor_of, trusted_proxies=trusted_proxies)
    asyncio.run(middleware(scope, channel, channel))
    return seen[0]


def through_wsgi(
    headers: list[tuple[str, str]],
    peer: str | None = "198.51.100.1",
    actor_of: Any = None,
    trusted_proxies: int = 0,
) -> AuditContext:
    """Return the context that a WSGI app sees."""
    seen: list[AuditContext] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["user"] = "u-7"
        seen.append(current_audit_context())
        return []

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    for name, value in headers:
        key = "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    environ["REMOTE_ADDR"] = peer or ""
    middleware = WsgiAuditMiddleware(app, actor_of=actor_of, trusted_proxies=trusted_proxies)
    list(middleware(environ, lambda *_: lambda _: None))
    return seen[0]


@pytest.fixture(params=[through_asgi, through_wsgi])
def serve(request: pytest.FixtureRequest) -> Serve:
    """Both ways to the context of a request."""
    way: Serve = request.param
    return way


def test_headers_of_a_request(serve: Serve) -> None:
    """Address, agent, request id and trace id are taken from the request."""
    context = serve(
        [("User-Agent", "curl/8"), ("X-Request-ID", "r-1"), ("traceparent", TRACEPARENT)]
    )
    assert (context.ip, context.user_agent) == ("198.51.100.1", "curl/8")
    assert (context.request_id, context.correlation_id) == ("r-1", TRACE)


def test_request_without_headers(serve: Serve) -> None:
    """A request id is made up, and stands for the missing correlation id too."""
    context = serve([], peer=None)
    assert context.ip is None
    assert context.user_agent is None
    assert UUID(context.request_id).version == 7
    assert context.correlation_id == context.request_id


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Request-ID", "r" * 257), ("traceparent", "00-" + "0" * 32 + "-00f067aa0ba902b7-01")],
        [("X-Request-ID", "with space"), ("traceparent", "nonsense")],
        [("X-Request-ID", ""), ("X-Forwarded-For", "nonsense"), ("User-Agent", "\xe9" * 9_000)],
    ],
)
def test_a_client_cannot_keep_itself_out(serve: Serve, headers: list[tuple[str, str]]) -> None:
    """No header makes the events of its request invalid."""
    context = serve(headers, trusted_proxies=1)
    assert UUID(context.request_id).version == 7
    assert context.correlation_id == context.request_id
    assert len(context.user_agent or "") <= 4_096


@pytest.mark.parametrize(
    ("trusted_proxies", "forwarded", "address"),
    [
        (0, ["203.0.113.9"], "198.51.100.1"),
        (1, ["203.0.113.9"], "203.0.113.9"),
        (1, ["192.0.2.66, 203.0.113.9"], "203.0.113.9"),
        (2, ["192.0.2.66, 203.0.113.9", "10.0.0.2"], "203.0.113.9"),
        (3, ["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        (1, [], "198.51.100.1"),
        (1, ["203.0.113.9:5123"], "203.0.113.9"),
        (1, ["[2001:db8::7]:5123"], "2001:db8::7"),
        (1, ["2001:DB8::7"], "2001:db8::7"),
        (1, ["unknown"], None),
    ],
)
def test_forwarded_for(
    serve: Serve, trusted_proxies: int, forwarded: list[str], address: str | None
) -> None:
    """X-Forwarded-For is believed as far as one's own proxies wrote it."""
    headers = [("X-Forwarded-For", value) for value in forwarded]
    assert serve(headers, trusted_proxies=trusted_proxies).ip == address


def test_actor_that_a_later_middleware_finds(serve: Serve) -> None:
    """The actor is asked for at the event, when authentication has run."""
    context = serve([], actor_of=lambda request: Actor(request["user"]))
    assert callable(context.actor)
    assert context.actor() == Actor("u-7")


def test_context_ends_with_the_request(serve: Serve) -> None:
    """Nothing of a request is left when it is over."""
    serve([("X-Request-ID", "r-1")])
    assert current_audit_context() == AuditContext()


def test_wsgi_body_is_made_in_the_context() -> None:
    """Events emitted while the body is made, or closed, belong to the request."""
    audit = AuditLog(service="billing")

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            audit.connection_created(workspace=Workspace("w-1"), connection=Ref("c-1"))
            yield b"text"

        def close(self) -> None:
            audit.connection_deleted(workspace=Workspace("w-1"), connection=Ref("c-1"))

    environ: dict[str, Any] = {"HTTP_X_REQUEST_ID": "r-1", "REMOTE_ADDR": "192.0.2.7"}
    with capture_events() as events:
        body: Any = WsgiAuditMiddleware(lambda *_: Body())(environ, lambda *_: lambda _: None)
        assert list(body) == [b"text"]
        body.close()
    assert [event["request_id"] for event in events] == ["r-1", "r-1"]


def test_asgi_lifespan_passes() -> None:
    """What is not a request goes through untouched."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(AuditMiddleware(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]
