"""Waiting for something to become true, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

INTERVAL = 0.05
SHOWN = 2_000


def eventually(predicate: Callable[[], T], *, within: float, what: str) -> T:
    """Call `predicate` about 20 times a second until it returns something truthy; return that.

    An exception of the predicate counts as "not yet". It is called at least once; a call under
    way at the deadline is not cut short. Blocks for at most `within` seconds and one call.
    Raises AssertionError naming `what` and the last value or exception.
    """
    deadline = time.monotonic() + within
    while True:
        failure: Exception | None = None
        try:
            value = predicate()
            if value:
                return value
            last = repr(value)
        except Exception as raised:  # noqa: BLE001 - told at the deadline
            failure = raised
            last = f"{type(raised).__name__}: {raised}"
        left = deadline - time.monotonic()
        if left <= 0:
            message = f"waited {within:g} s in vain for {what}; last: {last[:SHOWN]}"
            raise AssertionError(message) from failure
        time.sleep(min(INTERVAL, left))
