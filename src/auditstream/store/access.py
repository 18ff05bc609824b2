"""Who reaches what in a workspace at a time, and through what."""
# ruff: noqa: S608 - names come from checked settings, values are parameters

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from auditstream.store.alert_states import microseconds
from auditstream.store.connection import SettingValue, Store
from auditstream.store.tokens import EPOCH

About: TypeAlias = Literal["member_id", "entity_id", "through"]
_READ: Final[dict[str, SettingValue]] = {"readonly": 2}
_AT: Final = "fromUnixTimestamp64Micro({at:Int64})"


@dataclass(frozen=True)
class Way:
    """A row of `effective_access`; the columns' comments say what the fields are."""

    entity_type: str
    entity_id: str
    entity_name: str | None
    member_id: str
    member_username: str | None
    role: str | None
    through: str
    through_name: str | None
    valid_from: datetime
    granted_by: str | None
    added_by: str | None

    @property
    def since(self) -> datetime | None:
        """Since when; None where the log does not reach back so far."""
        return None if self.valid_from <= EPOCH else self.valid_from


@dataclass(frozen=True)
class Membership:
    """A row of `group_members`."""

    group_id: str
    group_name: str | None
    member_id: str
    member_username: str | None
    valid_from: datetime
    added_by: str | None

    @property
    def since(self) -> datetime | None:
        """Since when; None where the log does not reach back so far."""
        return None if self.valid_from <= EPOCH else self.valid_from


def ways_at(
    store: Store, workspace_id: str, about: About, value: str, at: datetime, limit: int
) -> list[Way]:
    """Return the ways to things of a member, to one thing, or through a group; highest role first.

    What everyone in the workspace has is among a member's. Blocks for milliseconds to a second;
    raises what `Store` raises.
    """
    everyone = " OR through = 'everyone'" if about == "member_id" else ""
    found = _read(
        store,
        f"SELECT {_names(Way)} FROM {store.database}.effective_access "
        f"WHERE workspace_id = {{workspace:String}} AND ({about} = {{value:String}}{everyone}) "
        f"AND valid_from <= {_AT} AND (valid_until IS NULL OR valid_until > {_AT}) "
        "ORDER BY role_rank DESC NULLS LAST, member_username, entity_name, through "
        f"LIMIT {limit}",
        {"workspace": workspace_id, "value": value, "at": microseconds(at)},
    )
    return [Way(**row) for row in found]


def memberships_at(
    store: Store,
    workspace_id: str,
    about: Literal["group_id", "member_id"],
    value: str,
    at: datetime,
    limit: int,
) -> list[Membership]:
    """Return the groups of a member, or members of a group. Blocks; raises what `Store` does."""
    found = _read(
        store,
        f"SELECT {_names(Membership)} FROM {store.database}.group_members "
        f"WHERE workspace_id = {{workspace:String}} AND {about} = {{value:String}} "
        f"AND valid_from <= {_AT} AND (valid_until IS NULL OR valid_until > {_AT}) "
        f"ORDER BY group_name, member_username, member_id LIMIT {limit}",
        {"workspace": workspace_id, "value": value, "at": microseconds(at)},
    )
    return [Membership(**row) for row in found]


def _names(kind: type[Way | Membership]) -> str:
    return ", ".join(field.name for field in fields(kind))


def _read(store: Store, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    return store.query_frame(sql, parameters, _READ).to_dicts()
