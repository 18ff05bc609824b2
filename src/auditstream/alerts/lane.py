"""A lane: the deliveries to one destination, in their order, on a thread of its own.

A destination that is slow or dead holds up nothing but its own lane. The lane keeps a bounded
number of deliveries in memory; what is beyond waits in the ledger and is fetched from there.
"""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid5

from auditstream.alerts.destinations.destination import DeliveryError, Destination
from auditstream.alerts.message import Message, MessageKind, by_severity, letter_of
from auditstream.alerts.metrics import alert_metrics
from auditstream.alerts.planner import DELIVERY_NAMESPACE
from auditstream.contract.catalogue import SEVERITIES
from auditstream.errors import ServiceUnavailableError, StoreError
from auditstream.notifier_settings import NotifierSettings
from auditstream.store.alert_deliveries import DeliveryRow, DeliveryState

RATE_SECONDS: Final = 60.0
FOLDED: Final = 500
"""Alerts of one message at most."""
REMEMBERED: Final = 100_000
IDLE_SECONDS: Final = 30.0
REFILL_SECONDS: Final = 0.2
ATTEMPTS: Final = 3
"""Attempts that every delivery gets, whatever its age."""

Note = Callable[[Sequence[DeliveryRow]], object]
Refill = Callable[[str, int], tuple[Sequence[DeliveryRow], bool]]


@dataclass
class _Item:
    row: DeliveryRow
    attempts: int


class Lane:
    """Delivers what is put into it; notes each outcome; forgets nothing it has not delivered.

    `note` takes rows for the ledger; `refill` returns open deliveries of the ledger to a
    destination, at most so many, and whether the ledger is up to date. `say` is told when the
    destination begins and ceases to fail.
    """

    def __init__(
        self,
        name: str,
        destination: Destination,
        settings: NotifierSettings,
        explorer_url: str | None,
        note: Note,
        refill: Refill,
        say: Callable[[str], None],
    ) -> None:
        self._name = name
        self._destination = destination
        self._settings = settings
        self._rate = settings.destinations[name].rate_per_minute
        self._explorer_url = explorer_url
        self._note, self._refill, self._say = note, refill, say
        self._items: OrderedDict[str, _Item] = OrderedDict()
        self._done: OrderedDict[str, None] = OrderedDict()
        self._retried: set[tuple[str, int]] = set()
        self._overflow = False
        self._sent: deque[float] = deque()
        self._limited = False
        self._failures = 0
        self._rest_until = 0.0
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"lane-{name}", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def put(self, rows: Iterable[DeliveryRow]) -> None:
        """Take planned deliveries; those that are known are left out. Does not block."""
        with self._changed:
            for row in rows:
                known = row.delivery_id in self._items or not self._is_new(row)
                if known:
                    continue
                if len(self._items) >= self._settings.queue:
                    self._overflow = True
                    break
                self._items[row.delivery_id] = _Item(row, row.attempt)
            self._changed.notify_all()
        self._measure()

    def _is_new(self, row: DeliveryRow) -> bool:
        """Whether it is not done yet; a dead letter that is taken up again is new once."""
        if row.state != "retried":
            return row.delivery_id not in self._done
        attempt = (row.delivery_id, row.attempt)
        new = attempt not in self._retried
        self._retried.add(attempt)
        return new

    def drop(self, partitions: Sequence[int]) -> None:
        """Leave the deliveries of partitions to the notifier that has them now."""
        with self._changed:
            for delivery_id, item in list(self._items.items()):
                if item.row.partition in partitions:
                    del self._items[delivery_id]

    def stop(self, seconds: float) -> None:
        """End after the message that is being sent, waited for some seconds at most."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                batch, wait = self._next()
                fetch = self._overflow and not self._items
                if not batch and not fetch:
                    self._changed.wait(wait)
                    continue
            if batch:
                self._deliver(batch)
            else:
                self._fetch()

    def _fetch(self) -> None:
        """Take from the ledger what did not find room."""
        limit = self._settings.queue
        try:
            rows, complete = self._refill(self._name, limit)
        except (ServiceUnavailableError, StoreError):
            rows, complete = (), False
        self._overflow = not complete or len(rows) >= limit
        self.put(rows)
        with self._changed:
            if not self._items and self._overflow:
                # What was delivered a moment ago is not in the ledger yet.
                self._changed.wait(REFILL_SECONDS)

    def _next(self) -> tuple[list[_Item], float]:
        """Return what is to be sent now as one message, else nothing and how long to wait."""
        now, moment = time.monotonic(), datetime.now(UTC)
        rest = self._rest_until - now
        while self._sent and now >= self._sent[0] + RATE_SECONDS:
            self._sent.popleft()
        if len(self._sent) >= self._rate:
            ready = sum(item.row.due <= moment for item in self._items.values())
            self._limited = self._limited or ready > 0
            rest = max(rest, self._sent[0] + RATE_SECONDS - now)
        if rest > 0:
            return [], rest
        due = [item for item in self._items.values() if item.row.due <= moment]
        if not due:
            self._limited = False
            later = min((item.row.due for item in self._items.values()), default=None)
            wait = (later - moment).total_seconds() if later else IDLE_SECONDS
            return [], min(max(wait, 0.01), IDLE_SECONDS)
        first = due[0]
        if first.row.kind == "digest":
            together = [item for item in due if item.row.kind == "digest"]
            return together[:FOLDED], 0.0
        if self._limited:
            self._limited = False
            together = [item for item in due if item.row.kind != "digest"]
            together.sort(key=lambda item: -SEVERITIES.index(item.row.level))
            return together[:FOLDED], 0.0
        return [first], 0.0

    def _deliver(self, batch: list[_Item]) -> None:
        message = self._message(batch)
        self._sent.append(time.monotonic())
        try:
            self._destination.send(message)
        except DeliveryError as error:
            self._failed(batch, message, error)
        except Exception as error:  # noqa: BLE001 - a lane must not end for one message
            text = f"the message could not be made: {type(error).__name__}"
            self._failed(batch, message, DeliveryError(text, permanent=True))
        else:
            self._delivered(batch, message)
        self._measure()

    def _message(self, batch: list[_Item]) -> Message:
        rows = [item.row for item in batch]
        kind: MessageKind = rows[0].kind
        if len(rows) > 1 and kind != "digest":
            kind = "folded"
        message_id = rows[0].delivery_id
        if len(rows) > 1:
            names = "\n".join(sorted(row.delivery_id for row in rows))
            message_id = str(uuid5(DELIVERY_NAMESPACE, names))
        letters = by_severity([letter_of(row, self._explorer_url) for row in rows])
        return Message(message_id, kind, letters, datetime.now(UTC))

    def _delivered(self, batch: list[_Item], message: Message) -> None:
        if self._failures:
            self._say(f"destination {self._name} takes messages again")
        self._failures = 0
        with self._changed:
            for item in batch:
                self._finish(item)
        self._note([self._row(item, "delivered", message) for item in batch])
        alert_metrics.deliveries.labels(self._name, "delivered").inc(len(batch))
        now = datetime.now(UTC)
        for letter in message.letters if message.kind == "alert" else ():
            delay = (now - letter.alert.detected_at).total_seconds()
            alert_metrics.delivery_seconds.labels(self._name).observe(max(delay, 0.0))

    def _failed(self, batch: list[_Item], message: Message, error: DeliveryError) -> None:
        """Note a failure: try again later, behind the others, or give up."""
        now = datetime.now(UTC)
        oldest = now - timedelta(minutes=self._settings.give_up_minutes)
        rows = []
        with self._changed:
            for item in batch:
                item.attempts += 1
                # Its time begins when it is due, which for a digest is later than its plan.
                expired = item.row.due < oldest and item.attempts >= ATTEMPTS
                dead = error.permanent or expired
                if dead:
                    self._finish(item)
                elif item.row.delivery_id in self._items:
                    self._items.move_to_end(item.row.delivery_id)
                rows.append(self._row(item, "dead" if dead else "failed", message, str(error)))
        if not error.permanent:
            self._rest(error.retry_after)
        outcomes = [row.state for row in rows]
        self._note(rows)
        for outcome in ("failed", "dead"):
            alert_metrics.deliveries.labels(self._name, outcome).inc(outcomes.count(outcome))
        if self._failures == 1 or error.permanent or "dead" in outcomes:
            given_up = outcomes.count("dead")
            what = f"{given_up} given up, see alerts dead-letters" if given_up else "trying again"
            self._say(f"destination {self._name}: {error}; {what}")

    def _rest(self, wanted: float) -> None:
        """Leave the destination alone: twice as long after each failure in a row."""
        self._failures += 1
        wait = self._settings.first_retry_seconds * 2 ** min(self._failures - 1, 30)
        wait = min(wait, self._settings.longest_retry_seconds)
        # Spread, so that several notifiers do not come back at one moment.
        wait *= random.uniform(0.8, 1.2)  # noqa: S311
        self._rest_until = time.monotonic() + max(wait, wanted)

    def _finish(self, item: _Item) -> None:
        self._items.pop(item.row.delivery_id, None)
        self._done[item.row.delivery_id] = None
        if len(self._done) > REMEMBERED:
            self._done.popitem(last=False)

    def _row(
        self, item: _Item, state: DeliveryState, message: Message, error: str = ""
    ) -> DeliveryRow:
        return replace(
            item.row,
            at=datetime.now(UTC),
            state=state,
            attempt=item.attempts + (state == "delivered"),
            message_id=message.message_id,
            error=error,
            alert="",
        )

    def _measure(self) -> None:
        alert_metrics.queued.labels(self._name).set(len(self._items))
