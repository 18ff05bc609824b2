"""Page tokens: opaque, sealed, and good only for the request they were made for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from auditstream.errors import RefusedError
from auditstream.store.event_filter import EventFilter
from auditstream.store.read_events import Position
from auditstream.store.snapshot import Snapshot

_MAC_BYTES: Final = 16
MAX_CURSOR: Final = 32_768


@dataclass(frozen=True)
class Place:
    """Where a walk stands: the snapshot it goes through, and the last event it has seen."""

    snapshot: Snapshot
    after: Position | None = None


class Cursors:
    """Makes and reads page tokens, sealed by an HMAC under the key that `read_key` returns.

    A token is bound to a purpose and to a filter, hence to a workspace. It tells the client
    nothing it could use, and needs no memory here: any process with the same key takes it.
    """

    def __init__(self, read_key: Callable[[], bytes]) -> None:
        self._read_key = read_key

    def seal(self, purpose: str, wanted: EventFilter, place: Place) -> str:
        """Return the token of a place. Blocks when it is the first; raises what `Store` raises."""
        after = place.after and [place.after.at, place.after.event_id]
        body = zlib.compress(json.dumps([place.snapshot.offsets, after]).encode())
        mac = self._mac(purpose, wanted, body)
        return base64.urlsafe_b64encode(mac + body).rstrip(b"=").decode()

    def open(self, name: str, purpose: str, wanted: EventFilter, text: str) -> Place:
        """Return the place of a token; `name` is the parameter that holds it.

        Raises:
            RefusedError: it is not one, or it is one of another request.
        """
        refused = RefusedError(
            400, f"{name}: not a token that this endpoint gave for these parameters"
        )
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise refused from None
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(purpose, wanted, body)):
            raise refused
        offsets, after = json.loads(zlib.decompress(body))
        return Place(Snapshot(_with_numbers(offsets)), after and Position(*after))

    def _mac(self, purpose: str, wanted: EventFilter, body: bytes) -> bytes:
        bound = json.dumps([purpose, wanted.canonical().decode()]).encode()
        return hmac.digest(self._key, bound + b"\0" + body, hashlib.sha256)[:_MAC_BYTES]

    @cached_property
    def _key(self) -> bytes:
        return hashlib.sha256(b"auditstream cursors\0" + self._read_key()).digest()


def _with_numbers(offsets: dict[str, dict[str, Any]]) -> dict[str, dict[int, int]]:
    return {
        stream: {int(partition): offset for partition, offset in bounds.items()}
        for stream, bounds in offsets.items()
    }
