"""History as the pipeline must see it: what is stored, and what is about to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import polars as pl

from auditstream.pipeline.history import PAYLOAD, History

ROLE_KEYS: Final = ("workspace_id", "entity_id", "subject_id")


class PendingHistory:
    """Stored history and the events of `pending()`, frames not yet in the table.

    An event may be found in both, when it lands between the two looks.
    """

    def __init__(self, stored: History, pending: Callable[[], Sequence[pl.DataFrame]]) -> None:
        self._stored = stored
        self._pending = pending
