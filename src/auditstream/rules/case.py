"""Tests beside rules: events in short form, and whether they are a hit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


@dataclass(frozen=True, slots=True)
class Case:
    """A test beside a rule: events in short form, whether they are a hit, the sentence told.

    `line` is where it stands in the file of the rule.
    """

    events: tuple[Mapping[str, Any], ...]
    hit: bool
    sentence: str | None
    line: int


class CaseSection(BaseModel):
    """A case as it stands in a rule file, under `auditstream: cases`.

    An event names its `action` and the columns that matter: what the action requires besides is
    filled in. `at` is when it occurred, from the start of the case, for example 90m; without it
    each event follows the one before by a second. A column of enrichment that depends on databases
    of addresses, `country` for example, may be given as well.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: dict[str, Any] | None = None
    events: list[dict[str, Any]] = []
    hit: bool
    sentence: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> CaseSection:
        if (self.event is None) == (not self.events):
            raise ValueError("a case has one event, or several events")
        return self

    def case(self, line: int) -> Case:
        """Return the case as plain data."""
        events = tuple(self.events) if self.event is None else (self.event,)
        return Case(events, self.hit, self.sentence, line)


def techniques(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the ATT&CK techniques among tags, for example T1098.003."""
    return tuple(
        tag.removeprefix("attack.").upper()
        for tag in tags
        if tag.startswith("attack.t") and tag[8:9].isdigit()
    )
