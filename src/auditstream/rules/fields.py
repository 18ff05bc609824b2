"""Fields of an event that a rule may speak of."""

from __future__ import annotations

from typing import Final

TEXT_FIELDS: Final = frozenset(
    {
        "action",
        "actor_email",
        "actor_id",
        "actor_ip",
        "actor_on_behalf_of",
        "actor_role",
        "actor_session_id",
        "actor_type",
        "actor_user_agent",
        "actor_username",
        "category",
        "country",
        "entity_id",
        "entity_name",
        "entity_type",
        "group_id",
        "group_name",
        "ip_class",
        "member_email",
        "member_id",
        "member_username",
        "network",
        "outcome",
        "outcome_reason",
        "previous_role",
        "previous_role_origin",
        "role",
        "severity",
        "source_service",
        "user_agent_family",
        "user_agent_os",
        "workspace_id",
        "workspace_username",
    }
)
LOWER_CASE_FIELDS: Final = frozenset(
    {
        "action",
        "actor_type",
        "category",
        "entity_type",
        "ip_class",
        "outcome",
        "previous_role",
        "previous_role_origin",
        "role",
        "severity",
    }
)
"""Fields of text that are always in lower case."""

NUMBER_FIELDS: Final = frozenset(
    {"delay_seconds", "previous_role_rank", "role_change", "role_rank"}
)
