"""How long rows are kept: the TTL of the tables follows the setting."""

from __future__ import annotations

import re
from typing import Final

from auditstream.store.connection import Store

ARRIVAL: Final = {"events": "ingested_at", "rejected_events": "rejected_at"}
"""Tables whose rows expire, and the time from which their age counts."""

_TTL: Final = re.compile(r"TTL toDateTime\(\w+\) \+ toIntervalDay\((\d+)\)")


def apply_retention(store: Store, days: int) -> None:
    """Have rows dropped `days` days after their arrival, or never when it is 0.

    ClickHouse drops rows by whole parts, in the background: each row is kept for at least so long,
    and at most about a month longer. Changes only what differs. Blocks for some milliseconds.
    """
    for table, arrival in ARRIVAL.items():
        if _present(store, table) == days:
            continue
        name = f"{store.database}.{table}"
        if days:
            expiry = f"toDateTime({arrival}) + INTERVAL {days} DAY"
            store.command(f"ALTER TABLE {name} MODIFY TTL {expiry}")
        else:
            store.command(f"ALTER TABLE {name} REMOVE TTL")


def _present(store: Store, table: str) -> int:
    found = store.query_frame(
        "SELECT create_table_query FROM system.tables "
        "WHERE database = {database:String} AND name = {table:String}",
        {"database": store.database, "table": table},
    )
    match = _TTL.search(found.item())
    return int(match[1]) if match else 0
