"""The notifier's way to the ledger of deliveries: rows in groups, by a thread of its own.

Delivering does not wait for ClickHouse. While it is away, rows gather here and are written when it
is back; offsets whose rows are not written are not committed, so a notifier that dies meanwhile
reads those alerts again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from auditstream.errors import ServiceUnavailableError, StoreError
from auditstream.store.alert_deliveries import (
    DeliveryRow,
    HitRow,
    append_deliveries,
    append_hits,
)
from auditstream.store.connection import Store

Row = DeliveryRow | HitRow

GROUP: Final = 2_000
"""Alerts, or outcomes, whose rows are written together."""
RETRY_SECONDS: Final = 0.5
LONGEST_RETRY_SECONDS: Final = 10.0


class Ledger:
    """Writes rows in the order in which they were added. For any number of threads.

    `say` is told once when the store is away, and once when it is back.
    """

    def __init__(self, store: Store, say: Callable[[str], None]) -> None:
        self._store = store
        self._say = say
        self._units: list[Sequence[Row]] = []
        self._added = 0
        self._written = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._away = False
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    @property
    def written(self) -> int:
        """How many rows were written, of those that `add` counts."""
        with self._changed:
            return self._written

    @property
    def waiting(self) -> int:
        """How many rows are not written yet."""
        with self._changed:
            return self._added - self._written

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def add(self, rows: Sequence[Row]) -> int:
        """Take rows, to be written in one, and return how many were taken so far; does not block.

        Either all of them land or none: an alert is never planned for some destinations only.
        """
        with self._changed:
            if rows:
                self._units.append(rows)
            self._added += len(rows)
            self._changed.notify_all()
            return self._added

    def stop(self, seconds: float) -> None:
        """Write what is left, for some seconds at most."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = RETRY_SECONDS
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._units) or self._stopping.is_set())
                units = self._units[:GROUP]
            if not units:
                return
            group = [row for unit in units for row in unit]
            try:
                self._write(group)
            except (ServiceUnavailableError, StoreError) as error:
                self._report(error)
                if self._stopping.wait(pause):
                    return
                pause = min(2 * pause, LONGEST_RETRY_SECONDS)
                continue
            pause = RETRY_SECONDS
            if self._away:
                self._away = False
                self._say("the ledger of deliveries is written again")
            with self._changed:
                del self._units[: len(units)]
                self._written += len(group)
                self._changed.notify_all()

    def _write(self, group: Sequence[Row]) -> None:
        append_deliveries(self._store, [row for row in group if isinstance(row, DeliveryRow)])
        append_hits(self._store, [row for row in group if isinstance(row, HitRow)])

    def _report(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            self._say(f"delivering without the ledger, repeats are possible: {error}")
