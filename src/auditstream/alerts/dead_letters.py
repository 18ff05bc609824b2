"""Deliveries that were given up, taken up again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from auditstream.store.alert_deliveries import DeliveryRow, append_deliveries
from auditstream.store.connection import Store


def retry_dead(store: Store, dead: Sequence[DeliveryRow]) -> None:
    """Have the notifier try deliveries again; it does within seconds. Blocks for one statement.

    Each gets one attempt if it is older than what the settings say deliveries are tried for.

    Raises:
        ServiceUnavailableError, StoreError: see `Store`.
    """
    now = datetime.now(UTC)
    append_deliveries(store, [replace(row, at=now, state="retried", alert="") for row in dead])
