"""The form of a file with a rule over several events: Sigma's, and our extensions."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt

from auditstream.contract.catalogue import Severity
from auditstream.rules.case import CaseSection
from auditstream.rules.correlation.timespan import parse_timespan


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _no_repeats(values: list[str]) -> list[str]:
    for number, value in enumerate(values):
        if value in values[:number]:
            raise ValueError(f"{value} stands here twice")
    return values


Text = Annotated[str, Field(min_length=1)]
Names = Annotated[list[Text], BeforeValidator(_listed), AfterValidator(_no_repeats)]
SomeNames = Annotated[Names, Field(min_length=1)]
Timespan = Annotated[dt.timedelta, BeforeValidator(parse_timespan)]
Aliases = dict[str, Annotated[dict[str, Text], Field(min_length=1)]]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _hyphened(name: str) -> str:
    return name.replace("_", "-")


class _OwnSection(_Section):
    """An extension: its keys are written as Sigma writes `group-by`."""

    model_config = ConfigDict(alias_generator=_hyphened)


class ConditionSection(_Section):
    """A count and what it is compared with; all comparisons must hold."""

    gt: StrictInt | None = None
    gte: StrictInt | None = None
    lt: StrictInt | None = None
    lte: StrictInt | None = None
    eq: StrictInt | None = None
    neq: StrictInt | None = None
    field: SomeNames | None = None


class CorrelationSection(_Section):
    """Sigma's `correlation`."""

    type: Literal["event_count", "value_count", "temporal", "temporal_ordered"]
    rules: SomeNames | None = None
    group_by: Names = Field(default=[], alias="group-by")
    timespan: Timespan
    condition: ConditionSection | Text | None = None
    aliases: Aliases = {}
    generate: bool = False


class FirstSeenSection(_OwnSection):
    """Our extension `first_seen`."""

    rules: SomeNames
    values: SomeNames
    group_by: Names = []
    history: Timespan = dt.timedelta(days=30)
    learning: Timespan | None = None
    new_groups: bool = False


class AbsenceSection(_OwnSection):
    """Our extension `absence`."""

    after: SomeNames
    expected: SomeNames
    group_by: Names = []
    timespan: Timespan
    aliases: Aliases = {}


class SilenceSection(_OwnSection):
    """Our extension `silence`."""

    rules: Names = []
    group_by: Names = []
    timespan: Timespan


class EffectiveAccessSection(_OwnSection):
    """Our extension `effective_access`."""

    rules: SomeNames
    entity_type: SomeNames
    role: Text
    through: Literal["group", "direct", "any"] = "any"
    members: Annotated[StrictInt, Field(ge=1)] = 1


class OwnSection(_Section):
    """What we add to a rule: how its alerts read, its tests, and at most one extension.

    A `part` of other rules raises no alerts, whether or not there are any.
    """

    sentence: Text | None = None
    reason: str = ""
    runbook: Text | None = None
    window: Timespan | None = None
    route: Names = []
    part: bool = False
    cases: list[CaseSection] = []
    first_seen: FirstSeenSection | None = None
    absence: AbsenceSection | None = None
    silence: SilenceSection | None = None
    effective_access: EffectiveAccessSection | None = None


class CompoundDocument(_Section):
    """One file with a rule over several events."""

    title: Annotated[str, Field(min_length=1, max_length=256)]
    id: UUID | None = None
    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")] | None = None
    status: Literal["stable", "test", "experimental", "deprecated", "unsupported"] = "experimental"
    description: str = ""
    level: Severity = "medium"
    correlation: CorrelationSection | None = None
    auditstream: OwnSection = OwnSection()
    falsepositives: Names = []
    references: list[str] = []
    tags: list[str] = []
    generate: bool = False
    taxonomy: str = ""
    author: str = ""
    license: str = ""
    date: dt.date | str = ""
    modified: dt.date | str = ""
    related: list[Any] = []
    scope: list[str] = []
