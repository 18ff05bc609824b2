"""What stands in the way of delivery, told once and not at every try."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from confluent_kafka import KafkaError

from auditstream.publish.producer import describe
from auditstream.publish.stats import Counters

LOG = logging.getLogger("auditstream.publish")

_QUIET_SECONDS: Final = 60.0


class Trouble:
    """Whether delivery to `brokers` is in trouble now, and when that was last logged."""

    def __init__(self, brokers: str, counters: Counters, waiting: Callable[[], int]) -> None:
        self.now = False
        self._waiting = waiting
        self._brokers = brokers
        self._counters = counters
        self._next_warning = 0.0

    def begin(self, error: Exception | KafkaError) -> None:
        """Note an error; if events wait, a warning is logged, but not more than one a minute."""
        self.now = True
        self._counters.last_error = describe(error)
        waiting = self._waiting()
        if waiting and time.monotonic() >= self._next_warning:
            self._next_warning = time.monotonic() + _QUIET_SECONDS
            LOG.warning(
                "audit events cannot be delivered to %s: %s; %d wait",
                self._brokers,
                self._counters.last_error,
                waiting,
            )

    def end(self) -> None:
        """Note that the broker acknowledges events."""
        if self.now:
            self.now = False
            LOG.info("audit events are delivered again to %s", self._brokers)
