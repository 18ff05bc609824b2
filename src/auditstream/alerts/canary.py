"""The canary: an event a minute through the whole way, and an alert when it does not come out.

How long it takes from being published to being read from the table is the detection latency.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from auditstream.alerts.health import Publish, canary_missing
from auditstream.alerts.metrics import alert_metrics
from auditstream.errors import AuditStreamError
from auditstream.store.connection import Store
from auditstream.store.health import arrival_of

LOOK_SECONDS: Final = 0.1


class Canary:
    """Publishes canary events and waits for each to be in the table.

    `emit` publishes one event, by the producers' SDK under the service `auditstream-canary` and
    in the workspace of that name, and returns its id. `publish` takes the alert that one is
    missing: to the topic, which may work where the table does not.
    """

    def __init__(
        self,
        store: Store,
        emit: Callable[[], str],
        publish: Publish,
        *,
        every_seconds: float = 60.0,
        late_seconds: float = 30.0,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._store = store
        self._emit = emit
        self._publish = publish
        self._every = every_seconds
        self._late = timedelta(seconds=late_seconds)
        self._say = say

    def run(self, stop: threading.Event) -> None:
        """Send canaries until `stop` is set. Blocks."""
        while not stop.is_set():
            started = datetime.now(UTC)
            try:
                self.send(stop)
            except AuditStreamError as error:
                self._say(f"the canary could not be sent: {error}")
            left = self._every - (datetime.now(UTC) - started).total_seconds()
            stop.wait(max(left, 0.0))

    def send(self, stop: threading.Event) -> float | None:
        """Send one canary; return its latency in seconds, None when it is missing or at a stop.

        Blocks until it is in the table, or is missing, which is told in an alert. A table that
        cannot be read holds no canary.

        Raises:
            AuditStreamError: it could not be published, or the alert could not.
        """
        published = datetime.now(UTC)
        event_id = self._emit()
        while not stop.wait(LOOK_SECONDS):
            now = datetime.now(UTC)
            if self._is_stored(event_id):
                latency = (now - published).total_seconds()
                alert_metrics.detection_latency_seconds.observe(latency)
                return latency
            if now - published > self._late:
                alert_metrics.canaries_missing.inc()
                self._publish([canary_missing(event_id, published, now)])
                return None
        return None

    def _is_stored(self, event_id: str) -> bool:
        try:
            return arrival_of(self._store, event_id) is not None
        except AuditStreamError:
            return False
