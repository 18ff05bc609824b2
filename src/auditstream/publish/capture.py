"""Events caught instead of sent, for a producer's own tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from auditstream.publish.config import PublishSettings
from auditstream.publish.envelope import Envelope
from auditstream.publish.source import Source


@dataclass(eq=False)
class Capture:
    """Accepted envelopes in order; each service numbers its own from 1."""

    events: list[Envelope] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)

    def accept(self, settings: PublishSettings, envelope: Envelope) -> None:
        """Number, encode and keep an envelope. Raises InvalidEventError when it is too large."""
        name = settings.service
        source = self.sources.get(name) or self.sources.setdefault(name, Source(settings))
        source.accept(envelope, lambda _: self.events.append(envelope))


_captures: list[Capture] = []


@contextmanager
def capture_events() -> Iterator[list[Envelope]]:
    """Catch what is emitted in the process within the `with` block, by whatever AuditLog or thread.

    Yield the list of the accepted events, each a dict as in `schemas/audit_event.avsc`, to which
    they are added one by one. They are checked just the same, but neither spooled nor sent; no
    broker, disk or thread is touched. Of nested blocks the innermost catches.
    """
    capture = Capture()
    _captures.append(capture)
    try:
        yield capture.events
    finally:
        _captures.remove(capture)


def current_capture() -> Capture | None:
    """Return the innermost capture under way."""
    return _captures[-1] if _captures else None
