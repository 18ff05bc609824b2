"""Events in the shape of the published audit-log endpoint."""

from __future__ import annotations

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
    "outcome": "nullIf(e.outcome, 'success')",
    "outcome_reason": "e.outcome_reason",
    "correlation_id": "e.correlation_id",
    "causation_id": "e.causation_id",
    "request_id": "e.request_id",
}
"""What an entry's context may hold besides the pairs that the producer sent along."""

_PAIRS: Final = ", ".join(f"({literal(name)}, ifNull({sql}, ''))" for name, sql in _CONTEXT.items())
# Of pairs with the same name the first counts: a JSON object has no place for another.
_CONTEXT_SQL: Final = f"""\
CAST(arrayFilter(
    (pair, number) -> pair.2 != '' AND number = indexOf(context_pairs.1, pair.1),
    arrayConcat([{_PAIRS}], arrayMap(item -> (item.1, item.2), e.metadata)) AS context_pairs,
    arrayEnumerate(context_pairs)
), 'Map(String, String)')"""


def entry_shape(workspace_username: str) -> Shape:
    """Return the shape of an entry; the workspace's name is for events that do not know it."""
    return Shape(
        {
            "id": "toString(e.event_id)",
            "action": "e.action",
            "description": "e.description",
            "timestamp": "e.occurred_at",
            "workspace_username": (
                f"if(e.workspace_username = '', {literal(workspace_username)}, "
                "toString(e.workspace_username))"
            ),
            "context": _CONTEXT_SQL,
            "actor": (
                "CAST((e.actor_ip, e.actor_user_agent, e.actor_id, e.actor_username), "
                "'Tuple(ip Nullable(String), user_agent Nullable(String), "
                "user_id Nullable(String), username Nullable(String))')"
            ),
            "entity": (
                "CAST((e.entity_name, e.entity_type, e.entity_id), "
                "'Tuple(entity_name Nullable(String), entity_type String, entity_id String)')"
            ),
        },
        "id",
        {"occurred_at": "timestamp", "ingested_at": "timestamp"},
    )
