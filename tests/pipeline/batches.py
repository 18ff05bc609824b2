"""Batches as they are between steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from auditstream.contract.catalogue import Catalogue, shipped_catalogue
from auditstream.contract.limits import MAX_EVENT_BYTES, MAX_FUTURE_SECONDS
from auditstream.contract.schemas import shipped_schemas
from auditstream.pipeline.actions import Actions
from auditstream.pipeline.decode import decode
from auditstream.pipeline.pipeline import Pipeline
from auditstream.pipeline.records import Batch, Records
from auditstream.pipeline.validate import validate
from auditstream.pipeline.writers import Writers
from auditstream.rules.load import load_rules
from auditstream.rules.rule import Rule
from tests.pipeline.events import NOW, encode, records

ACTIONS = Actions(shipped_catalogue())


def pipeline(catalogue: Catalogue | None = None) -> Pipeline:
    """Return a pipeline with the built-in rules whose clock stands still."""
    return Pipeline(catalogue or shipped_catalogue(), builtin_rules(), clock=lambda: NOW)


@cache
def builtin_rules() -> tuple[Rule, ...]:
    return load_rules().rules


def valid_batch(
    events: Sequence[Mapping[str, Any]],
    partitions: Sequence[int] | None = None,
    offsets: Sequence[int] | None = None,
) -> Batch:
    """Return the batch of valid events before it is deduplicated."""
    return valid_records(records([encode(item) for item in events], None, partitions, offsets))


def valid_records(given: Records) -> Batch:
    """Return the batch of records before it is deduplicated."""
    batch = decode(given, Writers(shipped_schemas().get), NOW, MAX_EVENT_BYTES)
    return validate(batch, ACTIONS, MAX_FUTURE_SECONDS)
