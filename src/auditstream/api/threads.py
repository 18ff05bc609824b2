"""Threads for what blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Final, ParamSpec, TypeVar

AT_ONCE: Final = 40

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Runs calls beside the event loop, 40 at once; cheaper than Starlette's threads.

    What waits for ClickHouse holds a thread for as long.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Take calls from now on."""
        self._pool = ThreadPoolExecutor(AT_ONCE, "auditstream-api")

    async def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the call returns; raises what it raises."""
        inside = partial(copy_context().run, call, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._pool, inside)

    def close(self) -> None:
        """End the threads, once their calls have ended; `start` begins anew."""
        if self._pool is not None:
            self._pool.shutdown()
