"""One thread that records accesses for the event loop.

Requests that come at the same time are recorded one after the other and answered together: a thread
for each would spend as long on waiting for its turn as on the record.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import Final

from auditstream.api.accesses import Access, record_access
from auditstream.publish.audit_log import AuditLog

MOST: Final = 16
"""Accesses after which those that were recorded are answered."""

_Wanted = tuple["asyncio.Future[None]", Access, int]
_Recorded = tuple["asyncio.Future[None]", Exception | None]


class Recorder:
    """Records accesses through `audit`, in the order in which they come."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._waiting: queue.SimpleQueue[_Wanted | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="auditstream-recorder", daemon=True)
        self._thread.start()

    async def record(self, access: Access, rows: int) -> None:
        """Do as `record_access`: return when the event is in the spool.

        Raises:
            RefusedError: 503, it could not be kept, so the answer must not leave.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put((future, access, rows))
        await future

    def close(self) -> None:
        """End the thread when everything is recorded; blocks until then. `start` begins anew."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (wanted := self._waiting.get()) is not None:
            recorded = [self._recorded(wanted)]
            while len(recorded) < MOST and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    _answer(recorded)
                    return
                recorded.append(self._recorded(following))
            _answer(recorded)

    def _recorded(self, wanted: _Wanted) -> _Recorded:
        future, access, rows = wanted
        try:
            record_access(self._audit, access, rows)
        except Exception as error:  # noqa: BLE001  (whoever waits is told)
            return future, error
        return future, None


def _answer(recorded: list[_Recorded]) -> None:
    loop = recorded[0][0].get_loop()
    loop.call_soon_threadsafe(_settle, recorded)


def _settle(recorded: list[_Recorded]) -> None:
    for future, error in recorded:
        if future.done():
            continue  # the client has gone
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
