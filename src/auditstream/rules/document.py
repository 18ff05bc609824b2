"""The form of a rule file: Sigma's (https://sigmahq.io/docs/basics/rules.html), and what we add."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr

from auditstream.contract.catalogue import Severity

Text = Annotated[str, Field(min_length=1)]
Scalar = StrictStr | StrictInt | StrictFloat | None


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Logsource(_Section):
    """The one source our rules read."""

    product: Literal["analyst_studio"]
    service: Literal["audit"]


class Detection(_Section):
    """What fires: all of `selection`, and where the condition says so, not all of `filter`."""

    selection: Annotated[dict[str, Scalar | list[Scalar]], Field(min_length=1)]
    filter: Annotated[dict[str, Scalar | list[Scalar]], Field(min_length=1)] | None = None
    condition: Literal["selection", "selection and not filter"]


class AlertSection(_Section):
    """How hits become alerts."""

    sentence: Text
    reason: Text
    runbook: Text | None = None
    group_by: Annotated[list[str], Field(min_length=1)]
    window: Annotated[str, Field(pattern=r"^[0-9]{1,6}[smhd]$")]


class RuleDocument(_Section):
    """One rule file."""

    title: Annotated[str, Field(min_length=1, max_length=256)]
    id: UUID
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    status: Literal["stable", "test", "experimental", "deprecated", "unsupported"]
    description: Text
    level: Severity
    logsource: Logsource
    detection: Detection
    falsepositives: list[Text] = []
    auditstream: AlertSection
    references: list[str] = []
    tags: list[str] = []
    author: str = ""
    license: str = ""
    date: dt.date | str = ""
    modified: dt.date | str = ""
    related: list[Any] = []
