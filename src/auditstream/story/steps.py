"""What may happen next in a workspace: one step for each action.

A step returns what would happen, or None where it cannot happen now; nothing changes before its
`apply` is called, so that an attempt may also be denied. Steps keep the last grant of each kind,
so that what needs one stays possible. None of them raises anybody's role in the
workspace, gives Manage on a connection or takes it away: that is left to the incidents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final, TypeAlias, TypeVar

from auditstream.contract.catalogue import Action
from auditstream.story import names
from auditstream.story.people import Asset, Directory, Group, Holder, Person

T = TypeVar("T")

COLLECTION_ROLES: Final = ("view", "edit", "manage")
CONNECTION_ROLES: Final = ("view", "query")
DEFAULT_ROLES: Final = ("none", "view", "edit")


@dataclass(frozen=True, slots=True)
class Focus:
    """Whom or what a step has to be about, where it continues an operation."""

    person: Person | None = None
    group: Group | None = None
    asset: Asset | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What would happen; `entity` None is the workspace, `in_history` speaks of previous_role."""

    apply: Callable[[], object]
    entity: Group | Asset | None = None
    member: Person | None = None
    group: Group | None = None
    role: str | None = None
    previous_role: str | None = None
    in_history: bool = False


Step: TypeAlias = Callable[[Directory, Random, Focus], Draft | None]
NOBODY: Final = Focus()


def invite(here: Directory, rng: Random, focus: Focus) -> Draft:
    """Invite somebody new."""
    person = here.new_person(rng.choices(("member", "viewer"), (4, 1))[0])
    role = person.role if rng.random() < 0.9 else None

    def apply() -> None:
        person.role_in_history = role is not None
        here.pending.append(person)

    return Draft(apply, member=person, role=role)


def resend_invitation(here: Directory, rng: Random, focus: Focus) -> Draft | None:
    """Send the invitation again to somebody who has not come yet."""
    if not here.pending:
        return None
    person = rng.choice(here.pending)
    return Draft(_nothing, member=person)


def reinvite(here: Directory, rng: Random, focus: Focus) -> Draft | None:
    """Invite a former member back, in the role he or she had."""
    if not here.former:
        return None
    person = rng.choice(here.former)

    def apply() -> None:
        here.former.remove(person)
        here.active.append(person)
        person.role_in_history = True

    previous, known = person.role, person.role_in_history
    return Draft(apply, member=person, role=person.role, previous_role=previous, in_history=known)


def change_role(here: Directory, rng: Random, focus: Focus) -> Draft | None:
    """Make a member a viewer, or give anybody the role in focus."""
    candidates = [person for person in here.active if focus.role or person.role == "member"]
    person = _any(rng, candidates)
    if person is None:
        return None
    role = focus.role or "viewer"
    previous, known = person.role, person.role_in_history

    def apply() -> None:
        person.role, person.role_in_history = role, True
        if role == "admin":
            here.active.remove(person)
            here.admins.append(person)

    return Draft(apply, member=person, role=role, previous_role=previous, in_history=known)


def create_group(here: Directory, rng: Random, focus: Focus) -> Draft:
    """Create a group."""
    group = here.new_group()
    return Draft(partial(here.groups.append, group), entity=group)


def delete_group(here: Directory, rng: Random, focus: Focus) -> Draft | None:
    """Delete the group that the fewest things depend on, with the access it gave."""
    if len(here.groups) < 2:
        return None
    assets = here.collections + here.connections
    group = min(here.groups, key=lambda g: (sum(g in a.groups for a in assets), len(g.members)))

    def apply() -> None:
        here.groups.remove(group)
        for asset in assets:
            asset.groups.pop(group, None)

    return Draft(apply, entity=group)


def add_to_group(here: Directory, rng: Random, focus: Focus) -> Draft | None:
    """Add somebody to a group that he or she is not in."""
    group = focus.group or _any(rng, here.groups)
    if group is None:
        return None
    person = focus.person or rng.choice(here.active)
    if person in group.members:
        return None
    return Draft(partial(group.members.setdefault, person), entity=group, member=person)


def remove_from_group(here: Directory, rng: Random, focus: Focus) -> Draft | None:
    """Remove somebody from a group."""
    group = _any(rng, [group for group in here.groups if len(group.members) > 1])
    if group is None:
        return None
    person = rng.choice(list(group.members))
    return Draft(partial(group.members.pop, person), entity=group, member=person)


def create_collection(here: Directory, rng: Random, focus: Focus) -> Draft:
    """Create a collection, mostly with an access for everyone."""
    collection = here.new_asset("c", names.COLLECTIONS)
    role = rng.choice(DEFAULT_ROLES) if rng.random() < 0.7 else None

    def apply() -> None:
        collection.everyone = role
        here.collections.append(collection)

    return Draft(apply, entity=collection, role=role)


def create_connection(here: Directory, rng: Random, focus: Focus) -> Draft:
    """Create a connection."""
    connection = here.new_asset("x", names.CONNECTIONS)
    return Draft(partial(here.connections.append, connection), entity=connection)


def change_default_access(here: Directory, rng: Random, focus: Focus) -> Draft | None:
    """Change the access of everyone to a collection."""
    collection = _any(rng, here.collections)
    if collection is None:
        return None
    previous = collection.everyone
    role = _other(rng, DEFAULT_ROLES, previous)
    return Draft(
        partial(setattr, collection, "everyone", role),
        entity=collection,
        role=role,
        previous_role=previous,
        in_history=previous is not None,
    )


def delete_asset(kind: str, here: Directory, rng: Random, focus: Focus) -> Draft | None:
    """Delete the collection or connection that the fewest people have access to."""
    assets = _assets(here, kind)
    if len(assets) < 2:
        return None
    asset = min(assets, key=lambda a: (len(a.groups), len(a.members)))
    return Draft(partial(assets.remove, asset), entity=asset)


def grant(kind: str, to: str, here: Directory, rng: Random, focus: Focus) -> Draft | None:
    """Give a member or a group access to a collection or connection that has not got it."""
    asset = focus.asset or _any(rng, _assets(here, kind))
    if asset is None:
        return None
    holder = _holder(to, here, rng, focus)
    grants = _grants(asset, to)
    if holder is None or holder in grants:
        return None
    role = focus.role or rng.choice(_roles(kind))
    said = role if kind == "connection" or rng.random() < 0.85 else None
    return _access(partial(grants.setdefault, holder, said), asset, holder, said)


def revoke(kind: str, to: str, here: Directory, rng: Random, focus: Focus) -> Draft | None:
    """Take a member's or a group's access to a collection or connection away."""
    standing = [asset for asset in _assets(here, kind) if _grants(asset, to)]
    if sum(len(_grants(asset, to)) for asset in standing) < 2:
        return None
    asset = rng.choice(standing)
    grants = _grants(asset, to)
    holder = rng.choice(list(grants))
    if _is_kept(kind, grants[holder]):
        return None
    return _access(partial(grants.pop, holder), asset, holder, None, grants[holder])


def change_access(kind: str, to: str, here: Directory, rng: Random, focus: Focus) -> Draft | None:
    """Change the role of a member or a group on a collection or connection."""
    asset = _any(rng, [asset for asset in _assets(here, kind) if _grants(asset, to)])
    if asset is None:
        return None
    grants = _grants(asset, to)
    holder = rng.choice(list(grants))
    previous = grants[holder]
    role = focus.role or _other(rng, _roles(kind), previous)
    if role == previous or _is_kept(kind, previous):
        return None
    return _access(partial(grants.__setitem__, holder, role), asset, holder, role, previous)


def read_audit_log(here: Directory, rng: Random, focus: Focus) -> Draft:
    """Read the audit log."""
    return Draft(_nothing)


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
        group = _any(rng, here.groups)
        if group is None:
            return None
        return Draft(
            _nothing,
            entity=Group(f"e-{rng.getrandbits(48):012x}", action.entity_argument.capitalize()),
            member=rng.choice(here.active) if "member" in action.fields else None,
            group=group if "group" in action.fields else None,
            role=action.roles[0] if "role" in action.fields else None,
            previous_role=action.roles[0] if "previous_role" in action.fields else None,
        )

    return step


def _access(
    apply: Callable[[], object],
    asset: Asset,
    holder: Holder,
    role: str | None,
    previous: str | None = None,
) -> Draft:
    return Draft(
        apply,
        entity=asset,
        member=holder if isinstance(holder, Person) else None,
        group=holder if isinstance(holder, Group) else None,
        role=role,
        previous_role=previous,
        in_history=previous is not None,
    )


def _is_kept(kind: str, role: str | None) -> bool:
    return kind == "connection" and role == "manage"


def _assets(here: Directory, kind: str) -> list[Asset]:
    return here.collections if kind == "collection" else here.connections


def _grants(asset: Asset, to: str) -> dict[Holder, str | None]:
    return asset.members if to == "member" else asset.groups


def _holder(to: str, here: Directory, rng: Random, focus: Focus) -> Holder | None:
    if to == "member":
        return focus.person or rng.choice(here.active)
    return focus.group or _any(rng, here.groups)


def _roles(kind: str) -> tuple[str, ...]:
    return COLLECTION_ROLES if kind == "collection" else CONNECTION_ROLES


def _other(rng: Random, roles: Sequence[str], current: str | None) -> str:
    return rng.choice([role for role in roles if role != current])


def _any(rng: Random, things: Sequence[T]) -> T | None:
    return rng.choice(things) if things else None


def _nothing() -> None:
    pass
