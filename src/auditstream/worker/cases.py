"""Run the cases beside rules, through what a worker runs on the stream and on the table.

A case is written as `auditstream.rules.case.CaseSection` says. Its events go through the pipeline
as a producer's would; where they leave it open, ada acts, in the workspace acme.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, Final
from uuid import UUID

import fastavro
import polars as pl

from auditstream.contract.alert import Alert
from auditstream.contract.catalogue import Action, Catalogue
from auditstream.contract.schemas import frame, parsed_schema, shipped_id
from auditstream.pipeline.datum import datum_of
from auditstream.pipeline.decode import DECODED_SCHEMA
from auditstream.pipeline.detect import Detector
from auditstream.pipeline.history import PAYLOAD
from auditstream.pipeline.look_up import ROLE_SCHEMA
from auditstream.pipeline.pipeline import Pipeline
from auditstream.pipeline.records import Records
from auditstream.rules.case import Case
from auditstream.rules.correlation.engine import waits
from auditstream.rules.correlation.link import Linked
from auditstream.rules.correlation.model import Absence, CompoundRule, Correlation
from auditstream.rules.correlation.scheduled import SETTLE
from auditstream.rules.correlation.scope import moment
from auditstream.rules.load import UNITS
from auditstream.rules.rule import Rule, RuleSet
from auditstream.rules.to_sql import compile_sql
from auditstream.store.append import append_events
from auditstream.store.columns import EVENT_SCHEMA, PAYLOAD_SCHEMA
from auditstream.store.connection import Store
from auditstream.worker.correlator import Correlator

START: Final = datetime(2026, 1, 5, 9, tzinfo=UTC)
STREAM: Final = "stream"
TABLE: Final = "table"

_DEFAULTS: Final[Mapping[str, Any]] = {
    "workspace_id": "w-1",
    "workspace_username": "acme",
    "actor_type": "user",
    "outcome": "success",
    "changes": (),
    "metadata": (),
    "source_service": "studio",
    "source_epoch": 1,
}
_SUBJECTS: Final = {
    "member": {"member_id": "m-1", "member_username": "bob"},
    "group": {"group_id": "g-1", "group_name": "Finance"},
}
_numbers: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a case came to on one engine, "stream" or "table"; `problem` is None where it held."""

    rule: str
    origin: str
    line: int
    engine: str
    problem: str | None

    def __str__(self) -> str:
        return f"{self.origin}:{self.line}: {self.rule} on the {self.engine}: {self.problem}"


def run_cases(
    rules: RuleSet,
    catalogue: Catalogue,
    store: Store | None,
    names: frozenset[str] | None = None,
) -> list[Verdict]:
    """Run the cases of rules: those of one event on the stream, and all on the table.

    With `names` only these rules are tried, and the others are there for them. `store` is one whose
    events may be thrown away, and must be empty; without it cases of rules over several events are
    left out. Blocks.

    Raises:
        ServiceUnavailableError, StoreError: see `Store`.
    """
    single = [
        verdict
        for rule in rules.rules
        if names is None or rule.name in names
        for verdict in _single(rule, catalogue, store)
    ]
    if store is None:
        return single
    compounds = [
        rule for name, rule in rules.correlations.rules.items() if names is None or name in names
    ]
    return single + [
        verdict for rule in compounds for verdict in _compound(rule, rules, catalogue, store)
    ]


def case_events(case: Case, catalogue: Catalogue) -> pl.DataFrame:
    """Return the events of a case as rows of the table.

    Raises:
        ValueError: an event of the case is wrong.
    """
    rows = list(_rows(case.events, catalogue))
    stream = f"case-{next(_numbers)}"
    latest = max(row["occurred_at"] for row in rows)
    pipeline = Pipeline(catalogue, (), clock=lambda: moment(latest) + timedelta(seconds=1))
    records = Records(
        stream=stream,
        topic="cases",
        partitions=[0] * len(rows),
        offsets=list(range(len(rows))),
        timestamps=[row["occurred_at"] // 1000 for row in rows],
        keys=[row["workspace_id"].encode() for row in rows],
        values=[_encoded(row) for row in rows],
    )
    done = pipeline.process(records, _Nothing())
    if done.rejects.height:
        number, message = done.rejects.select("kafka_offset", "message").row(0)
        raise ValueError(f"event {number + 1}: {message}")
    return _enriched(done.events, case.events)


def _single(rule: Rule, catalogue: Catalogue, store: Store | None) -> Iterator[Verdict]:
    rule = replace(rule, alerts=True)
    detector = Detector([rule])

    def on_stream(events: pl.DataFrame, case: Case) -> str | None:
        return _judge(case, detector.detect(events, START))

    def on_table(events: pl.DataFrame, case: Case) -> str | None:
        assert store is not None  # noqa: S101 - not called without
        _append(store, events)
        place = f"FROM {store.database}.events AS e WHERE e.stream = '{events['stream'][0]}'"
        hits = store.query_frame(f"SELECT count() {place} AND ({compile_sql(rule)})").item()
        return None if bool(hits) == case.hit else _surprise(case)

    engines = {STREAM: on_stream} | ({TABLE: on_table} if store else {})
    for case in rule.cases:
        for engine, run in engines.items():
            yield _verdict(rule.name, rule.origin, case, engine, catalogue, run)


def _compound(
    rule: CompoundRule, rules: RuleSet, catalogue: Catalogue, store: Store
) -> Iterator[Verdict]:
    header = rule.header
    if not header.cases:
        return
    alone = Linked(_needed(rule, rules.correlations), ())

    def on_table(events: pl.DataFrame, case: Case) -> str | None:
        # An engine of its own for each case: one that is asked by the clock remembers.
        correlator = Correlator(store, RuleSet(rules.rules, alone))
        store.command(f"TRUNCATE TABLE {store.database}.events")
        _append(store, events)
        found = correlator.candidates(events)
        alerts = () if found is None else correlator.evaluate(found, START)
        if waits(rule, alone):
            span = rule.timespan if isinstance(rule, Absence | Correlation) else timedelta()
            times = events["occurred_at"].sort().to_list()
            for complete in (time + span + SETTLE + timedelta(seconds=1) for time in times):
                alerts += correlator.due(complete, complete)
        return _judge(case, tuple(alert for alert in alerts if alert.rule_id == header.name))

    for case in header.cases:
        yield _verdict(header.name, header.origin, case, TABLE, catalogue, on_table)


def _needed(rule: CompoundRule, linked: Linked) -> dict[str, CompoundRule]:
    found: dict[str, CompoundRule] = {}
    if isinstance(rule, Correlation):
        for name in rule.rules:
            if inner := linked.correlation(name):
                found |= _needed(inner, linked)
    return found | {rule.header.name: rule}


def _verdict(
    name: str,
    origin: str,
    case: Case,
    engine: str,
    catalogue: Catalogue,
    run: Callable[[pl.DataFrame, Case], str | None],
) -> Verdict:
    try:
        problem = run(case_events(case, catalogue), case)
    except ValueError as error:
        problem = f"the case is wrong: {error}"
    return Verdict(name, origin, case.line, engine, problem)


def _judge(case: Case, alerts: Sequence[Alert]) -> str | None:
    if bool(alerts) != case.hit:
        return _surprise(case)
    sentences = [alert.sentence for alert in alerts]
    if case.sentence is not None and case.sentence not in sentences:
        told = "; ".join(sentences) or "nothing"
        return f"it tells {told!r} in place of {case.sentence!r}"
    return None


def _surprise(case: Case) -> str:
    return "a hit was expected, there is none" if case.hit else "there is a hit, none was expected"


def _append(store: Store, events: pl.DataFrame) -> None:
    append_events(store, events["stream"][0], 0, None, events, threading.Event())


def _rows(events: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    at = START
    for number, event in enumerate(events, start=1):
        action = catalogue.actions.get(str(event.get("action")))
        if action is None:
            raise ValueError(f"event {number}: there is no action {event.get('action')}")
        if unknown := sorted(set(event) - {"at"} - set(EVENT_SCHEMA)):
            raise ValueError(f"event {number}: there is no column {unknown[0]}")
        at = _at(event["at"]) if "at" in event else at + timedelta(seconds=1)
        yield _row(event, action, number, at)


def _row(event: Mapping[str, Any], action: Action, number: int, at: datetime) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(DECODED_SCHEMA) | dict(_DEFAULTS)
    row |= {"event_id": str(UUID(int=number)), "source_sequence": number}
    if "actor_id" not in event:
        row |= {"actor_id": "u-1", "actor_username": "ada"}
    row["entity_type"] = action.entity_type
    row["entity_id"] = (
        event.get("workspace_id", "w-1") if action.entity_type == "workspace" else "e-1"
    )
    for name, values in _SUBJECTS.items():
        if name in action.required and f"{name}_id" not in event:
            row |= values
    if "role" in action.required:
        row["role"] = action.roles[0]
    given = {name: value for name, value in event.items() if name in row}
    for name in ("metadata", "changes"):
        if isinstance(given.get(name), Mapping):
            given[name] = [{"key": key, "value": text} for key, text in given[name].items()]
    return row | given | {"occurred_at": int(at.timestamp() * 1_000_000)}


def _enriched(rows: pl.DataFrame, events: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Set what the short form says about columns that the pipeline fills."""
    known = {*DECODED_SCHEMA, "at"}
    for name in sorted({name for event in events for name in event} - known):
        values = [event.get(name, old) for event, old in zip(events, rows[name], strict=True)]
        rows = rows.with_columns(pl.Series(name, values, EVENT_SCHEMA[name]))
    return rows


def _encoded(row: Mapping[str, Any]) -> bytes:
    datum = BytesIO()
    try:
        fastavro.schemaless_writer(datum, parsed_schema("audit_event"), datum_of(row))
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"it cannot be written as an event: {error}") from error
    return frame(shipped_id("audit_event"), datum.getvalue())


def _at(given: object) -> datetime:
    if isinstance(given, datetime):
        return given if given.tzinfo else given.replace(tzinfo=UTC)
    found = re.fullmatch(r"(-?[0-9]{1,6})([smhd])", str(given))
    if found is None:
        raise ValueError(
            f"at: {given!r} is no time: 90m from the start of the case, or a timestamp"
        )
    return START + timedelta(**{UNITS[found[2]]: int(found[1])})


class _Nothing:
    """A history without events."""

    def events_by_id(self, event_ids: pl.Series, id_minutes: pl.Series) -> pl.DataFrame:
        """Return no event."""
        return pl.DataFrame(schema=PAYLOAD_SCHEMA).select(PAYLOAD)

    def roles(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return no role."""
        return pl.DataFrame(schema=ROLE_SCHEMA)
