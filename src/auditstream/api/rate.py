"""Rate limits: how often something may be done, by whom (generic cell rate algorithm)."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MINUTE: Final = 60.0
MAX_KEYS: Final = 10_000


@dataclass(frozen=True)
class Allowance:
    """What is left of a limit: `remaining` requests now, all of them in `reset` seconds.

    `wait` is for how many seconds the request is refused, 0 when it is allowed.
    """

    limit: int
    remaining: int
    reset: int
    wait: int

    def headers(self) -> dict[str, str]:
        """Return RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers)."""
        headers = {
            "RateLimit-Policy": f'"default";q={self.limit};w={MINUTE:.0f}',
            "RateLimit": f'"default";r={self.remaining};t={self.reset}',
        }
        return headers | ({"Retry-After": str(self.wait)} if self.wait else {})


class Limiter:
    """At most `limit` in a minute for each key; they may come at once. For many threads."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._interval = MINUTE / limit
        self._due: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, key: str) -> Allowance:
        """Count one for the key, unless that is too many; say what is left."""
        with self._lock:
            now = self._clock()
            due = max(self._due.get(key, now), now) + self._interval
            allowed = due - now <= MINUTE + self._interval / 2
            if allowed:
                self._note(key, due, now)
            return self._allowance(due if allowed else due - self._interval, now, allowed=allowed)

    def look(self, key: str) -> Allowance:
        """Say what is left for the key, without counting."""
        with self._lock:
            now = self._clock()
            due = max(self._due.get(key, now), now)
            return self._allowance(due, now, allowed=due - now <= MINUTE - self._interval / 2)

    def _allowance(self, due: float, now: float, *, allowed: bool) -> Allowance:
        used = due - now
        remaining = max(0, math.floor((MINUTE - used) / self._interval + 0.5))
        wait = 0 if allowed else max(1, math.ceil(used + self._interval - MINUTE))
        return Allowance(self.limit, remaining, math.ceil(used), wait)

    def _note(self, key: str, due: float, now: float) -> None:
        if len(self._due) >= MAX_KEYS:
            self._due = {known: at for known, at in self._due.items() if at > now}
        self._due[key] = due
