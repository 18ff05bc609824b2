"""Resolve the alerts about rules that work again."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from auditstream.alerts.life_cycle import LifeCycleError, resolve
from auditstream.store.alert_states import AlertFilter, list_states
from auditstream.store.connection import Store

RULE_ERROR: Final = "health_rule_error"
MOST: Final = 1_000


def resolve_mended(store: Store, broken: Collection[str]) -> int:
    """Resolve the alerts about rules or files that are not `broken` any more; return their number.

    Blocks, and raises what `Store` raises.
    """
    unresolved = AlertFilter(states=("open", "acknowledged", "reopened"), rule_id=RULE_ERROR)
    mended = [a for a in list_states(store, unresolved, MOST) if a.entity not in broken]
    for alert in mended:
        # Another worker, or a person, may have been first.
        with suppress(LifeCycleError):
            resolve(store, alert.alert_id, "auditstream", "The rule has been mended or removed.")
    return len(mended)
