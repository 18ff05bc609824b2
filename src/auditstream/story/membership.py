"""Steps of people and groups."""

from __future__ import annotations

from functools import partial
from random import Random

from auditstream.story.draft import Draft, Focus, nothing, pick
from auditstream.story.people import Directory


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
    return Draft(nothing, member=person)


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
    person = pick(rng, candidates)
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
    group = focus.group or pick(rng, here.groups)
    if group is None:
        return None
    person = focus.person or rng.choice(here.active)
    if person in group.members:
        return None
    return Draft(partial(group.members.setdefault, person), entity=group, member=person)


def remove_from_group(here: Directory, rng: Random, focus: Focus) -> Draft | None:
    """Remove somebody from a group."""
    group = pick(rng, [group for group in here.groups if len(group.members) > 1])
    if group is None:
        return None
    person = rng.choice(list(group.members))
    return Draft(partial(group.members.pop, person), entity=group, member=person)
