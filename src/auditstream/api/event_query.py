"""The filters of our own paths, as query parameters."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from auditstream.api.parameters import read_address, read_range
from auditstream.store.event_filter import EventFilter, TimeColumn

_MAX_VALUES: Final = 50
Value: TypeAlias = Annotated[str, Field(min_length=1, max_length=1_024)]
Moment: TypeAlias = Annotated[str | None, Field(max_length=64)]
Level: TypeAlias = Literal["informational", "low", "medium", "high", "critical"]

_COLUMNS: Final[dict[str, TimeColumn]] = {"occurrence": "occurred_at", "arrival": "ingested_at"}
_BOUNDS: Final = frozenset({"since", "until", "time"})


def _values(description: str, example: str) -> Any:
    return Field(
        default_factory=list,
        max_length=_MAX_VALUES,
        description=description,
        examples=[[example]],
    )


class EventQuery(BaseModel):
    """Which events are wanted. A parameter that is repeated leaves events with any of its values.

    An unknown parameter is refused: a misspelt filter would show more than was asked for.
    """

    model_config = ConfigDict(extra="forbid")

    since: Moment = Field(None, description="From then on, ISO 8601.", examples=["2025-02-18"])
    until: Moment = Field(None, description="Before then, ISO 8601.", examples=["2025-02-19"])
    time: Literal["occurrence", "arrival"] = Field(
        "occurrence", description="Which time `since`, `until` and the order are about."
    )
    action: list[Value] = _values("Name of the action.", "group_created")
    category: list[Value] = _values("Category of the action.", "user_groups")
    severity: Level | None = Field(None, description="The least severity.", examples=["medium"])
    actor: list[Value] = _values("Id, user name or mail address of the actor.", "peter_parker")
    actor_type: list[Value] = _values("Kind of actor.", "service_account")
    entity: list[Value] = _values("Id or name of the entity.", "Star Space")
    entity_type: list[Value] = _values("Type of the entity.", "workspace_connection")
    group: list[Value] = _values("Id or name of the group.", "internalgroup")
    member: list[Value] = _values("Id, user name or mail address of the member.", "ada")
    role: list[Value] = _values("Role given, or in force afterwards.", "manage")
    role_change: list[Literal["raised", "lowered", "unchanged"]] = _values(
        "What the action did to the role.", "raised"
    )
    outcome: list[Literal["success", "failure", "denied"]] = _values("How it ended.", "denied")
    ip: list[Value] = _values("Address of the actor.", "203.0.113.9")
    source: list[Value] = _values("Service that produced the event.", "connections")
    correlation_id: list[Value] = _values("Identifier of the operation.", "7c1e")
    request_id: list[Value] = _values("Identifier of the request.", "9f3a")
    text: list[Value] = _values("In the sentence or in the metadata, all of them.", "finance")

    def event_filter(self, workspace_id: str) -> EventFilter:
        """Return the filter for a workspace.

        Raises:
            RefusedError: 400, a time or an address is none.
        """
        since, until = read_range(("since", self.since), ("until", self.until))
        wanted: dict[str, tuple[str, ...]] = {}
        for name in EventQuery.model_fields:
            value = getattr(self, name)
            if name in _BOUNDS or not value:
                continue
            values = [value] if isinstance(value, str) else value
            if name == "ip":
                values = [read_address("ip", item) for item in values]
            wanted[name] = tuple(values)
        return EventFilter(workspace_id, since, until, _COLUMNS[self.time], wanted)
