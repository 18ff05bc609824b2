"""Events in the shape of the published audit-log endpoint.

ClickHouse writes plain columns into a template, since expressions that build objects would cost it
a fifth of a page. An entry's context is flat: columns that have a value, and the pairs that the
producer sent along. These stand before the entry, and are moved into its context here.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Final

from auditstream.store.connection import SettingValue
from auditstream.store.read_events import Shape
from auditstream.store.sql import literal

_CONTEXT: Final = {
    "group_id": "e.group_id",
    "group_name": "e.group_name",
    "member_id": "e.member_id",
    "member_username": "e.member_username",
    "member_email": "e.member_email",
    "role": "lower(e.role)",
    "previous_role": "lower(e.previous_role)",
    "outcome": "nullIf(e.outcome, 'success')",
    "outcome_reason": "e.outcome_reason",
    "correlation_id": "e.correlation_id",
    "causation_id": "e.causation_id",
    "request_id": "e.request_id",
}
"""What an entry's context may hold besides the pairs that the producer sent along."""

_VALUES: Final = ", ".join(f"{sql} AS `{name}`" for name, sql in _CONTEXT.items())

# Quotes, tabs and line ends within values are escaped: these stand where they are meant alone.
_ROW: Final = (
    '${pairs:JSON}\t{"id":${id:JSON},"action":${action:JSON},"description":${description:JSON},'
    '"timestamp":${timestamp:JSON},"workspace_username":${workspace_username:JSON},'
    '"context":${context:JSON},"actor":{"ip":${actor_ip:JSON},"user_agent":${actor_user_agent:JSON},'
    '"user_id":${actor_id:JSON},"username":${actor_username:JSON}},'
    '"entity":{"entity_name":${entity_name:JSON},"entity_type":${entity_type:JSON},'
    '"entity_id":${entity_id:JSON}}}\n'
)
_PLAIN: Final = (
    *("action", "description", "actor_ip", "actor_user_agent", "actor_id", "actor_username"),
    *("entity_name", "entity_type", "entity_id"),
)
_SETTINGS: Final[dict[str, SettingValue]] = {
    "enable_named_columns_in_function_tuple": 1,
    "output_format_json_skip_null_value_in_named_tuples": 1,
    "format_template_row_format": _ROW,
    "format_template_rows_between_delimiter": "",
}
_NO_PAIRS: Final = b"{}\t"
_BETWEEN: Final = b'":"'
_DOUBTFUL: Final = re.compile(f'""|"({"|".join(_CONTEXT)})":'.encode())
"""What may be an empty text, or the name of a column."""

_AFTER_PAIRS: Final = b"\t"
_CONTEXT_START: Final = b'"context":{'


@lru_cache
def entry_shape(workspace_username: str) -> Shape:
    """Return the shape of an entry; the workspace's name is for events that do not know it."""
    return Shape(
        {
            "pairs": "CAST(e.metadata, 'Map(String, String)')",
            "id": "e.event_id",
            "timestamp": "e.occurred_at",
            "workspace_username": (
                f"if(e.workspace_username = '', {literal(workspace_username)}, "
                "toString(e.workspace_username))"
            ),
            "context": f"tuple({_VALUES})",
            **{name: f"e.{name}" for name in _PLAIN},
        },
        "id",
        {"occurred_at": "timestamp", "ingested_at": "timestamp"},
        _SETTINGS,
        _with_pairs,
        "Template",
    )


def _with_pairs(line: bytes) -> bytes:
    """Return an entry with its pairs in its context; of several with a name the first counts."""
    if line.startswith(_NO_PAIRS):
        return line[len(_NO_PAIRS) :]
    pairs, _, entry = line.partition(_AFTER_PAIRS)
    if pairs.count(_BETWEEN) > 1 or _DOUBTFUL.search(pairs):
        pairs = _kept(pairs)
        if pairs == b"{}":
            return entry
    start = entry.index(_CONTEXT_START) + len(_CONTEXT_START)
    comma = b"" if entry[start : start + 1] == b"}" else b","
    return b"".join((entry[:start], pairs[1:-1], comma, entry[start:]))


def _kept(pairs: bytes) -> bytes:
    """Return the pairs, a JSON object that may hold names twice, that the context takes up."""
    told: list[tuple[str, str]] = json.loads(pairs, object_pairs_hook=list)
    first: dict[str, str] = {}
    for name, value in told:
        first.setdefault(name, value)
    kept = {name: value for name, value in first.items() if value and name not in _CONTEXT}
    return json.dumps(kept, ensure_ascii=False).encode()
