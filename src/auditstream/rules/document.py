"""The form of a rule file: Sigma's (https://sigmahq.io/docs/basics/rules.html), and what we add."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from auditstream.contract.catalogue import Severity
from auditstream.rules.case import CaseSection

Text = Annotated[str, Field(min_length=1)]
Texts: TypeAlias = list[Text]
Status: TypeAlias = Literal["stable", "test", "experimental", "deprecated", "unsupported"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Logsource(_Section):
    """The one source our rules read."""

    product: Literal["analyst_studio"]
    service: Literal["audit"]
    definition: str = ""


class AlertSection(_Section):
    """How hits become alerts, and the tests of the rule; a `part` of other rules raises none."""

    sentence: Text | None = None
    reason: Text | None = None
    runbook: Text | None = None
    group_by: Annotated[list[str], Field(min_length=1)] = ["workspace_id", "actor_id", "entity_id"]
    window: Annotated[str, Field(pattern=r"^[0-9]{1,6}[smhd]$")] = "60m"
    route: Texts = []
    part: bool = False
    cases: list[CaseSection] = []


class Head(_Section):
    """What rules, filters and correlations have in common."""

    title: Annotated[str, Field(min_length=1, max_length=256)]
    id: UUID | None = None
    name: Name | None = None
    status: Status = "experimental"
    description: str = ""
    taxonomy: Literal["sigma", "auditstream"] = "sigma"
    references: list[str] = []
    tags: list[Annotated[str, Field(pattern=r"^[a-z0-9_-]+\.[a-z0-9._-]+$")]] = []
    author: str = ""
    license: str = ""
    date: dt.date | str = ""
    modified: dt.date | str = ""
    related: list[Any] = []
    scope: list[str] = []


class RuleDocument(Head):
    """One rule; `detection` is read with pySigma."""

    level: Severity = "medium"
    logsource: Logsource
    detection: dict[str, Any]
    fields: list[str] = []
    falsepositives: Texts = []
    auditstream: AlertSection = AlertSection()


class FilterSection(_Section):
    """What rules are narrowed by: `rules` names them, `any` are all; the rest is a detection."""

    model_config = ConfigDict(extra="allow", frozen=True)

    rules: str | list[str]
    condition: Text


class FilterDocument(Head):
    """A filter: its condition is required of the rules it names besides their own."""

    logsource: Logsource
    filter: FilterSection
