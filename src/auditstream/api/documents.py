"""What OpenAPI says of answers on our own paths."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from auditstream.api.event_query import Level
from auditstream.api.refusals import PROBLEM
from auditstream.contract.limits import MAX_TEXT
from auditstream.store.alert_states import State


class Problem(BaseModel):
    """What is wrong with a request (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Bad Request"])
    status: int = Field(examples=[400])
    detail: str


class Event(BaseModel):
    """An event under the names of the table's columns, or as an OCSF or ECS document."""

    model_config = ConfigDict(extra="allow")


class Events(BaseModel):
    """A page of events; `next_cursor` is null on the last."""

    events: list[Event]
    next_cursor: str | None


class EventPage(BaseModel):
    """An event and its neighbours, in the order of their times."""

    event: Event
    correlated: list[Event] = Field(description="Others with its correlation id.")
    causes: list[Event] = Field(description="The one that caused it.")
    effects: list[Event] = Field(description="Those that it caused.")


class Manifest(BaseModel):
    """What a whole export holds."""

    export: str = Field(description="Pins what was stored when the export began.")
    format: str
    events: int
    bytes: int
    sha256: str = Field(description="Of all bytes of the file, in hex.")


class Evidence(BaseModel):
    """An event that made a rule fire, and its place in Kafka."""

    event_id: str
    topic: str
    partition: int
    offset: int


class Transition(BaseModel):
    """A change of an alert's state."""

    number: int = Field(description="Counts from 1 within the alert.")
    at: datetime
    state: Literal["acknowledged", "resolved", "reopened"]
    by: str
    reason: str


class AlertForm(BaseModel):
    """An alert."""

    model_config = ConfigDict(extra="allow")

    alert_id: str
    rule_id: str
    level: Level
    sentence: str
    event_count: int = Field(description="Events that it stands for so far.")
    evidence: list[Evidence]
    state: State
    transitions: list[Transition] = Field(description="Changes of its state, in their order.")


class Alerts(BaseModel):
    """A page of alerts, the newest first; `next_cursor` is null on the last."""

    alerts: list[AlertForm]
    next_cursor: str | None


class SilenceForm(BaseModel):
    """A silence: alerts that agree with all that is given are not told until a time."""

    silence_id: str
    rule: str | None
    level: Level | None
    actor: str | None
    entity: str | None
    until: datetime
    state: Literal["in force", "ended", "cancelled"]
    at: datetime = Field(description="When it was made or cancelled.")
    by: str = Field(description="Who made or cancelled it.")
    reason: str


class Silences(BaseModel):
    """Silences of the workspace, the newest first."""

    silences: list[SilenceForm]


class Why(BaseModel):
    """Why a state is changed."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=MAX_TEXT, description="For those who look at it later.")


class AlertChange(BaseModel):
    """A change of an alert's state."""

    alert_id: str
    state: str
    by: str = Field(description="Name and id of the token.")
    at: datetime
    reason: str


class QuestionParameter(BaseModel):
    """A value that a question asks for."""

    name: str
    type: str = Field(description="Type in ClickHouse; times are ISO 8601.")
    description: str
    required: bool
    default: str | None


class QuestionForm(BaseModel):
    """A saved question."""

    name: str
    title: str
    description: str
    parameters: list[QuestionParameter]


class Questions(BaseModel):
    """Saved questions, in the order of their names."""

    questions: list[QuestionForm]


class Column(BaseModel):
    """A column of an answer."""

    name: str
    type: str = Field(description="Type in ClickHouse.")


class Answer(BaseModel):
    """The answer to a question: rows of values in the order of the columns."""

    question: str
    columns: list[Column]
    rows: list[list[Any]]


SECURITY: Final[dict[str, Any]] = {"security": [{"workspaceToken": []}]}

_REASONS: Final = {
    400: "A parameter is wrong; the detail says which.",
    401: "No workspace token, or not its secret.",
    403: "The token is one of another workspace, or lacks the scope.",
    406: "The header Accept rules the answer out.",
    414: "The URL is too long.",
    429: "Too many requests; Retry-After says when to come back.",
    503: "The log cannot be read, or the access not recorded.",
}


def refusals(*others: tuple[int, str]) -> dict[int | str, dict[str, Any]]:
    """Return the refusals of a route, besides those that every route has."""
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": reason, "content": content}
        for status, reason in sorted({**_REASONS, **dict(others)}.items())
    }
