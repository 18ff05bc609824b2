"""What may happen next in a workspace: one step for each action.

A step returns what would happen, or None where it cannot happen now; nothing changes before its
`apply` is called, so that an attempt may also be denied. Steps keep the last grant of each kind,
so that what needs one stays possible. None of them raises anybody's role in the
workspace, gives Manage on a connection or takes it away: that is left to the incidents.
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Final

from auditstream.contract.catalogue import Action
from auditstream.story.access import (
    change_access,
    change_default_access,
    create_collection,
    create_connection,
    delete_asset,
    grant,
    revoke,
)
from auditstream.story.draft import Draft, Focus, Step, nothing, pick
from auditstream.story.membership import (
    add_to_group,
    change_role,
    create_group,
    delete_group,
    invite,
    reinvite,
    remove_from_group,
    resend_invitation,
)
from auditstream.story.people import Directory, Group


def read_audit_log(here: Directory, rng: Random, focus: Focus) -> Draft:
    """Read the audit log."""
    return Draft(nothing)


STEPS: Final[dict[str, Step]] = {
    "org_user_invited": invite,
    "org_user_invitation_resent": resend_invitation,
    "org_user_reinvited": reinvite,
    "org_user_role_changed": change_role,
    "group_created": create_group,
    "group_deleted": delete_group,
    "group_member_added": add_to_group,
    "group_member_removed": remove_from_group,
    "workspace_default_access_changed": change_default_access,
    "collection_created": create_collection,
    "collection_deleted": partial(delete_asset, "collection"),
    "collection_member_added": partial(grant, "collection", "member"),
    "collection_member_removed": partial(revoke, "collection", "member"),
    "collection_member_access_changed": partial(change_access, "collection", "member"),
    "collection_group_added": partial(grant, "collection", "group"),
    "collection_group_removed": partial(revoke, "collection", "group"),
    "collection_group_access_changed": partial(change_access, "collection", "group"),
    "connection_created": create_connection,
    "connection_deleted": partial(delete_asset, "connection"),
    "connection_member_added_with_role": partial(grant, "connection", "member"),
    "connection_member_removed": partial(revoke, "connection", "member"),
    "connection_member_access_changed": partial(change_access, "connection", "member"),
    "connection_group_added_with_role": partial(grant, "connection", "group"),
    "connection_group_removed": partial(revoke, "connection", "group"),
    "connection_group_access_changed": partial(change_access, "connection", "group"),
    "audit_log_accessed": read_audit_log,
}


def any_step(action: Action) -> Step:
    """Return a step for an action that the story knows nothing about but its catalogue entry."""

    def step(here: Directory, rng: Random, focus: Focus) -> Draft | None:
        group = pick(rng, here.groups)
        if group is None:
            return None
        return Draft(
            nothing,
            entity=Group(f"e-{rng.getrandbits(48):012x}", action.entity_argument.capitalize()),
            member=rng.choice(here.active) if "member" in action.fields else None,
            group=group if "group" in action.fields else None,
            role=action.roles[0] if "role" in action.fields else None,
            previous_role=action.roles[0] if "previous_role" in action.fields else None,
        )

    return step
