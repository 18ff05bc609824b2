"""What on-call wants to hear of: who becomes admin, who gets to manage a connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Incident:
    """A step that is taken once about `progress` (0 to 1) of a workspace's events are through.

    One at night comes from an address and a program nobody has seen before. `previous_role` tells
    whether the producer says it; else the history has to know.
    """

    progress: float
    action: str
    role: str
    night: bool = False
    previous_role: bool = True


INCIDENTS: Final = (
    Incident(0.30, "org_user_role_changed", "admin"),
    Incident(0.38, "connection_member_added_with_role", "manage"),
    Incident(0.46, "connection_group_added_with_role", "manage"),
    Incident(0.54, "connection_member_access_changed", "manage"),
    Incident(0.60, "connection_group_access_changed", "manage", previous_role=False),
    Incident(0.66, "org_user_role_changed", "admin", night=True, previous_role=False),
)
