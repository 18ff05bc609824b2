"""Where an event comes from, and which number it has there."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from functools import cache

import fastavro
from fastavro.types import Schema

from auditstream.contract.limits import MAX_EVENT_BYTES
from auditstream.contract.schemas import FRAME, JsonSchema, shipped_id, shipped_schemas
from auditstream.errors import AuditStreamError, InvalidEventError, Problem
from auditstream.publish.config import PublishSettings
from auditstream.publish.envelope import Envelope
from auditstream.publish.record import Accepted, encode

_guard = threading.Lock()
_last_epoch = 0


def writer_schema() -> JsonSchema:
    """Return the newest release of the event's schema, by which events are written."""
    return shipped_schemas()[shipped_id("audit_event")]


class Source:
    """Numbers the events of one epoch from 1, without gaps. Safe to use from several threads."""

    def __init__(self, settings: PublishSettings) -> None:
        self._head = {
            "service": settings.service,
            "version": settings.service_version,
            "instance": settings.service_instance or f"{socket.gethostname()}:{os.getpid()}",
            "epoch": _new_epoch(),
        }
        self._sequence = 0
        self._lock = threading.Lock()

    def accept(self, envelope: Envelope, keep: Callable[[Accepted], None]) -> None:
        """Number and encode a checked envelope and hand it to `keep`; set its `source`.

        The number is taken only if `keep` returns. A thread that is interrupted meanwhile leaves
        the number out, since it may be taken.

        Raises:
            InvalidEventError: the encoded event is too large.
        """
        with self._lock:
            envelope["source"] = {**self._head, "sequence": self._sequence + 1}
            event = encode(envelope, _parsed_schema())
            size = FRAME.size + len(event.datum)
            if size > MAX_EVENT_BYTES:
                raise InvalidEventError(
                    event.action,
                    (Problem("too_large", "", f"has {size} bytes, at most {MAX_EVENT_BYTES}"),),
                )
            self._sequence += 1
            try:
                keep(event)
            except AuditStreamError:
                self._sequence -= 1
                raise

    def hold(self) -> None:
        """Keep all other threads from accepting until `let_go`."""
        self._lock.acquire()

    def let_go(self) -> None:
        """End a `hold`."""
        self._lock.release()


@cache
def _parsed_schema() -> Schema:
    return fastavro.parse_schema(writer_schema())


def _new_epoch() -> int:
    global _last_epoch
    with _guard:
        _last_epoch = max(time.time_ns() // 1000, _last_epoch + 1)
        return _last_epoch
