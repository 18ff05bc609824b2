"""What is known of the request under way: filled once, found in every event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from typing import TypedDict, Unpack

from auditstream.publish.values import Actor, Workspace


@dataclass(frozen=True, slots=True)
class AuditContext:
    """Values for what an event is not given itself.

    `actor` may be a function, called at each event: the actor is often known only after the
    request was let in.
    """

    actor: Actor | Callable[[], Actor | None] | None = None
    workspace: Workspace | None = None
    ip: str | None = None
    user_agent: str | None = None
    session_id: str | None = None
    request_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None


class ContextValues(TypedDict, total=False):
    """The fields of an AuditContext, as keyword arguments."""

    actor: Actor | Callable[[], Actor | None] | None
    workspace: Workspace | None
    ip: str | None
    user_agent: str | None
    session_id: str | None
    request_id: str | None
    correlation_id: str | None
    causation_id: str | None


_context: ContextVar[AuditContext] = ContextVar("auditstream", default=AuditContext())  # noqa: B039


def current_audit_context() -> AuditContext:
    """Return the context that events emitted here and now are given."""
    return _context.get()


def set_audit_context(**values: Unpack[ContextValues]) -> Token[AuditContext]:
    """Change the named values of the context, for this thread or task and those it starts.

    Return a token for `reset_audit_context`.
    """
    return _context.set(replace(_context.get(), **values))


def reset_audit_context(token: Token[AuditContext]) -> None:
    """Put the context back to what it was before the `set_audit_context` that gave `token`."""
    _context.reset(token)


@contextmanager
def audit_context(**values: Unpack[ContextValues]) -> Iterator[AuditContext]:
    """Change the named values of the context within the `with` block; yield the context."""
    token = set_audit_context(**values)
    try:
        yield _context.get()
    finally:
        reset_audit_context(token)


@contextmanager
def causation(event_id: str) -> Iterator[AuditContext]:
    """Name the event `event_id` as the cause of all events emitted within the `with` block."""
    with audit_context(causation_id=event_id) as context:
        yield context
