"""Steps of collections and connections, and of the access to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Final

from auditstream.story import names
from auditstream.story.draft import Draft, Focus, pick
from auditstream.story.people import Asset, Directory, Group, Holder, Person

RARE: Final = 0.04
"""Weight of the role manage, where that of the least role is 1."""

COLLECTION_ROLES: Final = ("view", "edit", "manage")
CONNECTION_ROLES: Final = ("view", "query")
DEFAULT_ROLES: Final = ("none", "view", "edit")


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
    collection = pick(rng, here.collections)
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
    asset = focus.asset or pick(rng, _assets(here, kind))
    if asset is None:
        return None
    holder = _holder(to, here, rng, focus)
    grants = _grants(asset, to)
    if holder is None or holder in grants:
        return None
    role = focus.role or _any_role(rng, _roles(kind))
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
    asset = pick(rng, [asset for asset in _assets(here, kind) if _grants(asset, to)])
    if asset is None:
        return None
    grants = _grants(asset, to)
    holder = rng.choice(list(grants))
    previous = grants[holder]
    role = focus.role or _other(rng, _roles(kind), previous)
    if role == previous or _is_kept(kind, previous):
        return None
    return _access(partial(grants.__setitem__, holder, role), asset, holder, role, previous)


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
    return focus.group or pick(rng, here.groups)


def _roles(kind: str) -> tuple[str, ...]:
    return COLLECTION_ROLES if kind == "collection" else CONNECTION_ROLES


def _any_role(rng: Random, roles: Sequence[str]) -> str:
    """Choose a role as people do: mostly a low one, and seldom manage."""
    weights = [RARE if role == "manage" else 0.5**place for place, role in enumerate(roles)]
    return rng.choices(roles, weights)[0]


def _other(rng: Random, roles: Sequence[str], current: str | None) -> str:
    while (role := _any_role(rng, roles)) == current:
        pass
    return role
