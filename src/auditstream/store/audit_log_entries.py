"""Events in the shape of the published audit-log endpoint.

An entry's context is flat: columns that have a value, and the pairs that the producer sent along.
ClickHouse writes the columns, and beside them the pairs, which are moved among them here: one
expression for all of it would cost ClickHouse more than reading a page.
"""

from __future__ import annotations

import json
from typing import Final

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
    "outcome": "if(e.outcome = 'success', NULL, e.outcome)",
    "outcome_reason": "e.outcome_reason",
    "correlation_id": "e.correlation_id",
    "causation_id": "e.causation_id",
    "request_id": "e.request_id",
}
"""What an entry's context may hold besides the pairs that the producer sent along."""

_VALUES: Final = ", ".join(f"nullIf({sql}, '')" for sql in _CONTEXT.values())
_NAMES: Final = ", ".join(f"{name} Nullable(String)" for name in _CONTEXT)
_SETTINGS: Final = {"output_format_json_skip_null_value_in_named_tuples": 1}
# Quotes within values are escaped, so that these stand where they are meant and nowhere else.
_PAIRS: Final = b'{"pairs":'
_NO_PAIRS: Final = b'{"pairs":[],'
_AFTER_PAIRS: Final = b',"id":'
_CONTEXT_START: Final = b'"context":{'


def entry_shape(workspace_username: str) -> Shape:
    """Return the shape of an entry; the workspace's name is for events that do not know it."""
    return Shape(
        {
            "pairs": "e.metadata",
            "id": "toString(e.event_id)",
            "action": "e.action",
            "description": "e.description",
            "timestamp": "e.occurred_at",
            "workspace_username": (
                f"if(e.workspace_username = '', {literal(workspace_username)}, "
                "toString(e.workspace_username))"
            ),
            "context": f"CAST(({_VALUES}), 'Tuple({_NAMES})')",
            "actor": (
                "CAST(map('ip', e.actor_ip, 'user_agent', e.actor_user_agent, "
                "'user_id', e.actor_id, 'username', e.actor_username), "
                "'Map(String, Nullable(String))')"
            ),
            "entity": (
                "CAST(map('entity_name', e.entity_name, 'entity_type', e.entity_type, "
                "'entity_id', e.entity_id), 'Map(String, Nullable(String))')"
            ),
        },
        "id",
        {"occurred_at": "timestamp", "ingested_at": "timestamp"},
        _SETTINGS,
        _with_pairs,
    )


def _with_pairs(line: bytes) -> bytes:
    """Return an entry with its pairs in its context; of several with a name the first counts."""
    if line.startswith(_NO_PAIRS):
        return b"{" + line[len(_NO_PAIRS) :]
    end = line.index(_AFTER_PAIRS)
    more: dict[str, str] = {}
    for pair in json.loads(line[len(_PAIRS) : end]):
        more.setdefault(pair["key"], pair["value"])
    kept = {name: value for name, value in more.items() if value and name not in _CONTEXT}
    if not kept:
        return b"{" + line[end + 1 :]
    start = line.index(_CONTEXT_START, end) + len(_CONTEXT_START)
    told = json.dumps(kept, ensure_ascii=False)[1:-1].encode()
    comma = b"" if line[start : start + 1] == b"}" else b","
    return b"".join((b"{", line[end + 1 : start], told, comma, line[start:]))
