"""The audit context: what events take from it, and how far it reaches."""

from __future__ import annotations

import asyncio
import threading

from auditstream import (
    Actor,
    AuditContext,
    AuditLog,
    Ref,
    Workspace,
    audit_context,
    capture_events,
    causation,
    current_audit_context,
    reset_audit_context,
    set_audit_context,
)

AUDIT = AuditLog(service="billing")
WORKSPACE = Workspace("w-1", "acme")


def emit(actor: Actor | None = None) -> str:
    """Emit an event that takes all it can from the context."""
    return AUDIT.connection_created(connection=Ref("c-1"), actor=actor)


def test_event_takes_what_it_is_not_given() -> None:
    """Workspace, actor, address, agent, session and ids come from the context."""
    with (
        capture_events() as events,
        audit_context(
            actor=Actor("u-1", username="ana"),
            workspace=WORKSPACE,
            ip="192.0.2.7",
            user_agent="curl",
            session_id="s-1",
            request_id="r-1",
            correlation_id="k-1",
        ),
    ):
        emit()
        emit(Actor("u-2", ip="192.0.2.8"))
    first, second = events
    assert (first["workspace_id"], first["workspace_username"]) == ("w-1", "acme")
    assert (first["actor"]["id"], first["actor"]["username"]) == ("u-1", "ana")
    assert (first["actor"]["ip"], first["actor"]["user_agent"]) == ("192.0.2.7", "curl")
    assert first["actor"]["session_id"] == "s-1"
    assert (first["request_id"], first["correlation_id"]) == ("r-1", "k-1")
    assert (second["actor"]["id"], second["actor"]["username"]) == ("u-2", None)
    assert (second["actor"]["ip"], second["actor"]["user_agent"]) == ("192.0.2.8", "curl")


def test_blocks_nest() -> None:
    """An inner block changes only what it names, and only until it ends."""
    with audit_context(ip="192.0.2.7", request_id="r-1"):
        with audit_context(ip="192.0.2.8") as inner:
            assert (inner.ip, inner.request_id) == ("192.0.2.8", "r-1")
        assert current_audit_context().ip == "192.0.2.7"
    assert current_audit_context() == AuditContext()


def test_set_and_reset() -> None:
    """Where no block fits, the context is set and put back."""
    token = set_audit_context(ip="192.0.2.7")
    assert current_audit_context().ip == "192.0.2.7"
    reset_audit_context(token)
    assert current_audit_context().ip is None


def test_actor_that_is_known_later() -> None:
    """A function as the actor is called at each event."""
    signed_in: list[Actor] = []
    with (
        capture_events() as events,
        audit_context(workspace=WORKSPACE, actor=lambda: signed_in[-1] if signed_in else None),
    ):
        emit()
        signed_in.append(Actor("u-1"))
        emit()
    assert [event["actor"]["id"] for event in events] == [None, "u-1"]
    assert [event["actor"]["type"] for event in events] == ["unknown", "user"]


def test_causation_links_events() -> None:
    """Events within the block name the event that caused them."""
    with capture_events() as events, audit_context(workspace=WORKSPACE):
        cause = emit()
        with causation(cause):
            emit()
            emit()
        emit()
    assert [event["causation_id"] for event in events] == [None, cause, cause, None]


def test_threads_and_tasks_are_apart() -> None:
    """One request's context is not another's, in threads and in tasks."""
    addresses: dict[str, str | None] = {}

    def in_thread(ip: str, both: threading.Barrier) -> None:
        with audit_context(ip=ip):
            both.wait()
            addresses[ip] = current_audit_context().ip

    async def in_task(ip: str, both: asyncio.Barrier) -> None:
        with audit_context(ip=ip):
            await both.wait()
            addresses[ip] = current_audit_context().ip

    async def tasks() -> None:
        both = asyncio.Barrier(2)
        await asyncio.gather(in_task("192.0.2.3", both), in_task("192.0.2.4", both))

    barrier = threading.Barrier(2)
    threads = [
        threading.Thread(target=in_thread, args=(ip, barrier)) for ip in ("192.0.2.1", "192.0.2.2")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(tasks())
    assert len(addresses) == 4
    assert all(ip == seen for ip, seen in addresses.items())
