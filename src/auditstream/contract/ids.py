"""Event ids: UUIDs of version 7, which sort by the time they were made."""

from __future__ import annotations

import os
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """Return a new UUID of version 7 (RFC 9562, section 5.7, method 3 of section 6.2).

    Ids made by one process ascend, also within a millisecond and when the clock is set back: the
    48 bits of milliseconds and 12 bits of their fraction only count upwards. The remaining 62
    bits are random.
    """
    global _last
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    now = milliseconds << 12 | (nanoseconds << 12) // 1_000_000
    with _lock:
        _last = moment = max(now, _last + 1)
    random = int.from_bytes(os.urandom(8), "big") >> 2
    return UUID(int=moment >> 12 << 80 | 0x7 << 76 | (moment & 0xFFF) << 64 | 0b10 << 62 | random)


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)
