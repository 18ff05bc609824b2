"""Events as they arrive, as server-sent events.

The id of each is what has been seen once it is: the highest offset of every Kafka partition. A
client that comes back with Last-Event-ID, to whichever process, goes on after exactly that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from auditstream.api.accept import require_accepted
from auditstream.api.accesses import Access, record_access
from auditstream.api.admit import admitting
from auditstream.api.cursors import MAX_CURSOR, Place
from auditstream.api.documents import SECURITY, refusals
from auditstream.api.event_query import EventQuery
from auditstream.api.events import Form, told
from auditstream.api.services import Services, services_of
from auditstream.errors import AuditStreamError, RefusedError
from auditstream.store.arrivals import Arrival, read_arrivals
from auditstream.store.event_filter import EventFilter
from auditstream.store.read_events import EVENT_SHAPE
from auditstream.store.snapshot import Snapshot

POLL_SECONDS: Final = 0.25
PING_SECONDS: Final = 15
BATCH: Final = 500
MAX_STREAMS: Final = 200
RETRY_MILLISECONDS: Final = 2_000
MEDIA_TYPE: Final = "text/event-stream"
PURPOSE: Final = "stream"
"""Of the cursors that stand as ids of events."""
_ACCESSED: Final = "audit_log_accessed"
_LOG: Final = logging.getLogger("auditstream.api")

router = APIRouter(prefix="/v1/{workspace_username}/events", tags=["events"])
_open = 0


class StreamQuery(EventQuery):
    """Which events are wanted, and from when on."""

    format: Form = Field("json", description="Our own names, or those of OCSF or ECS.")
    replay: bool = Field(False, description="Begin with what is stored, not with what arrives.")
    seconds: float | None = Field(
        None, gt=0, le=86_400, description="End after so long; by default when the client does."
    )


Reader: TypeAlias = Annotated[Access, Depends(admitting("read"))]


@dataclass(frozen=True)
class _Subscription:
    services: Services
    access: Access
    wanted: EventFilter
    query: StreamQuery
    tell: Callable[[bytes], str]


@router.get(
    "/stream",
    response_class=Response,
    responses={
        200: {
            "description": "Events; the data of each is JSON.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
        },
        **refusals(),
    },
    openapi_extra=SECURITY,
)
async def stream(
    request: Request,
    access: Reader,
    query: Annotated[StreamQuery, Query()],
    last_event_id: Annotated[
        str | None, Header(max_length=MAX_CURSOR, description="Id of the last event seen.")
    ] = None,
) -> Response:
    """Send events as they are stored, without gap or repeat over reconnections."""

    def tell(line: bytes) -> str:
        return told(line, query.format).decode()

    return await open_stream(services_of(request), request, access, query, last_event_id, tell)


async def open_stream(
    services: Services,
    request: Request,
    access: Access,
    query: StreamQuery,
    last_event_id: str | None,
    tell: Callable[[bytes], str],
) -> Response:
    """Return the stream of a query; `tell` makes the data of an event of its line of JSON.

    Raises:
        RefusedError: 400, 406 or 503, it cannot be opened or recorded.
    """
    require_accepted(request.headers.get("accept"), MEDIA_TYPE)
    if _open >= MAX_STREAMS:
        raise RefusedError(503, "too many streams are open here", {"Retry-After": "30"})
    wanted = query.event_filter(access.token.workspace_id)
    subscription = _Subscription(services, access, wanted, query, tell)
    seen = await run_in_threadpool(_begin, subscription, last_event_id)
    await run_in_threadpool(record_access, services.audit, access, 0)
    return EventSourceResponse(
        _events(subscription, seen), ping=PING_SECONDS, headers={"Cache-Control": "no-store"}
    )


def _begin(subscription: _Subscription, last_event_id: str | None) -> Snapshot:
    services = subscription.services
    if last_event_id:
        place = services.cursors.open("Last-Event-ID", PURPOSE, subscription.wanted, last_event_id)
        return place.snapshot
    return Snapshot() if subscription.query.replay else services.snapshots.read()


async def _events(subscription: _Subscription, seen: Snapshot) -> AsyncIterator[ServerSentEvent]:
    global _open
    _open += 1
    seconds = subscription.query.seconds
    end = float("inf") if seconds is None else time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            try:
                arrivals, seen = await run_in_threadpool(_next, subscription, seen)
            except AuditStreamError as error:
                # The client comes back with the id of what it has seen.
                _LOG.warning("a stream ended: %s", error)
                return
            for arrival in arrivals:
                yield _sent(subscription, arrival)
            if not arrivals:
                await asyncio.sleep(min(POLL_SECONDS, max(0.0, end - time.monotonic())))
    finally:
        _open -= 1


def _next(subscription: _Subscription, seen: Snapshot) -> tuple[list[Arrival], Snapshot]:
    """Return what has arrived, and what has been seen after it; the access is audited."""
    services, token = subscription.services, subscription.access.token
    if not services.verifier.stands(token):
        raise RefusedError(401, f"token {token.token_id} was revoked or has expired")
    now = services.snapshots.read()
    if now == seen:
        return [], seen
    arrivals = read_arrivals(services.store, EVENT_SHAPE, subscription.wanted, seen, now, BATCH)
    # That accesses were read is told by the opening of the stream: else each would cause another.
    if any(arrival.action != _ACCESSED for arrival in arrivals):
        record_access(services.audit, subscription.access, len(arrivals))
    return arrivals, arrivals[-1].seen if len(arrivals) == BATCH else now


def _sent(subscription: _Subscription, arrival: Arrival) -> ServerSentEvent:
    cursors = subscription.services.cursors
    return ServerSentEvent(
        subscription.tell(arrival.line),
        event="event",
        id=cursors.seal(PURPOSE, subscription.wanted, Place(arrival.seen)),
        retry=RETRY_MILLISECONDS,
    )
