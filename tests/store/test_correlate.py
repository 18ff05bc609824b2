"""Rules over several events in SQL, on both servers, against the naive interpreter."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from auditstream.contract.alert import alert_id
from auditstream.rules.correlation import dense
from auditstream.rules.correlation.compile import Compiler, to_sql
from auditstream.rules.correlation.dense import Version, narrowed
from auditstream.rules.correlation.engine import CorrelationEngine
from auditstream.rules.correlation.match import Match, group_names
from auditstream.rules.correlation.model import CompoundRule, Correlation
from auditstream.rules.correlation.scope import Scope, microseconds, moment
from auditstream.store.arrow import arrow_body, arrow_input
from auditstream.store.columns import EVENT_SCHEMA, EVENTS
from auditstream.store.connection import Store
from auditstream.store.correlate import asker
from tests.rules.correlation.documents import correlation, extension, linked
from tests.rules.correlation.interpreter import Found, Interpreter
from tests.store.rows import START, event_rows

PREDICATES = {
    "give": "e.action IN ('give', 'both')",
    "take": "e.action IN ('take', 'both')",
    "read": "e.action = 'read'",
    "any": "1",
}
MEETS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "give": lambda event: event["action"] in {"give", "both"},
    "take": lambda event: event["action"] in {"take", "both"},
    "read": lambda event: event["action"] == "read",
    "any": lambda event: True,
}
ALIASES = {"who": {"give": "actor_id", "take": "member_id"}}

RULES = [
    correlation(
        "many",
        type="event_count",
        rules=["give"],
        group_by=["actor_id"],
        timespan="3s",
        condition={"gte": 3},
        window="10s",
    ),
    correlation(
        "few",
        type="event_count",
        rules=["give", "take"],
        group_by=["workspace_id"],
        timespan="4s",
        condition={"gt": 1, "lte": 3},
        window="7s",
    ),
    correlation("just", type="event_count", rules=["read"], timespan="5s", condition={"eq": 2}),
    correlation(
        "not_two",
        type="event_count",
        rules=["read"],
        group_by=["actor_id"],
        timespan="2s",
        condition={"neq": 2},
    ),
    correlation(
        "either_way",
        type="event_count",
        rules=["give", "take"],
        group_by=["who"],
        aliases=ALIASES,
        timespan="3s",
        condition={"gte": 2},
    ),
    correlation(
        "values",
        type="value_count",
        rules=["any"],
        group_by=["actor_id"],
        timespan="4s",
        condition={"gte": 3, "field": "entity_id"},
        window="10s",
    ),
    correlation(
        "pairs",
        type="value_count",
        rules=["any"],
        group_by=["workspace_id"],
        timespan="3s",
        condition={"gte": 2, "lt": 5, "field": ["entity_id", "member_id"]},
    ),
    correlation(
        "whose",
        type="value_count",
        rules=["give", "take"],
        timespan="3s",
        aliases=ALIASES,
        condition={"gte": 2, "field": "who"},
    ),
    correlation(
        "together",
        type="temporal",
        rules=["give", "take"],
        group_by=["actor_id"],
        timespan="3s",
        window="5s",
    ),
    correlation(
        "two_of_three",
        type="temporal",
        rules=["give", "take", "any"],
        group_by=["workspace_id"],
        timespan="2s",
        condition={"gte": 2},
    ),
    correlation("all_three", type="temporal", rules=["give", "take", "any"], timespan="2s"),
    correlation(
        "meeting",
        type="temporal",
        rules=["give", "take"],
        group_by=["who"],
        aliases=ALIASES,
        timespan="4s",
    ),
    correlation(
        "unless",
        type="temporal",
        rules=["give", "take", "read"],
        group_by=["workspace_id"],
        timespan="3s",
        condition="(give or take) and not read",
    ),
    correlation(
        "then",
        type="temporal_ordered",
        rules=["give", "take"],
        group_by=["actor_id"],
        timespan="3s",
        window="10s",
    ),
    correlation("steps", type="temporal_ordered", rules=["any", "give", "take"], timespan="4s"),
    correlation(
        "handed_on",
        type="temporal_ordered",
        rules=["give", "take"],
        group_by=["who"],
        aliases=ALIASES,
        timespan="5s",
    ),
    correlation(
        "many_then_take",
        type="temporal_ordered",
        rules=["many", "take"],
        group_by=["workspace_id"],
        timespan="4s",
    ),
    correlation(
        "alerts",
        type="event_count",
        rules=["together", "many"],
        group_by=["workspace_id"],
        timespan="20s",
        condition={"gte": 2},
    ),
    correlation(
        "actors",
        type="value_count",
        rules=["together"],
        timespan="9s",
        condition={"gte": 2, "field": "actor_id"},
    ),
    correlation(
        "chain_of_chains",
        type="temporal",
        rules=["many_then_take", "read"],
        group_by=["workspace_id"],
        timespan="6s",
    ),
    extension(
        "new_value",
        "first_seen",
        rules=["any"],
        values=["entity_id"],
        group_by=["actor_id"],
        history="5s",
        learning="2s",
        window="10s",
    ),
    extension(
        "new_pair",
        "first_seen",
        rules=["give"],
        values=["actor_id", "member_id"],
        group_by=["workspace_id"],
        history="6s",
        learning="4s",
        new_groups=True,
    ),
    extension(
        "missing",
        "absence",
        after=["give"],
        expected=["take"],
        group_by=["actor_id"],
        timespan="3s",
    ),
    extension(
        "never_taken",
        "absence",
        after=["give"],
        expected=["take", "read"],
        group_by=["workspace_id"],
        timespan="2s",
    ),
    extension("silent", "silence", rules=["read"], group_by=["workspace_id"], timespan="4s"),
    extension("quiet", "silence", group_by=["actor_id"], timespan="3s"),
]
TEAM = "metadata.te'am"
RULES += [
    correlation(
        "in_team",
        type="event_count",
        rules=["give", "take"],
        group_by=["workspace_id", TEAM],
        timespan="3s",
        condition={"gte": 2},
    ),
    correlation(
        "across_teams",
        type="value_count",
        rules=["any"],
        group_by=["actor_id"],
        timespan="4s",
        condition={"gte": 2, "field": TEAM},
    ),
    correlation(
        "team_then_read",
        type="temporal_ordered",
        rules=["in_team", "read"],
        group_by=["team"],
        aliases={"team": {"in_team": TEAM, "read": "metadata.other"}},
        timespan="4s",
    ),
    extension(
        "new_team",
        "first_seen",
        rules=["any"],
        values=["actor_id"],
        group_by=[TEAM],
        history="5s",
        learning="2s",
    ),
]
LINKED = linked(RULES, list(PREDICATES))
METADATA = [
    [{"key": key, "value": value} for key, value in pairs]
    for pairs in (
        [],
        [("te'am", "a"), ("other", "b")],
        [("other", "a"), ("te'am", "b"), ("te'am", "a")],
        [("te'am", "")],
    )
]
STEP = timedelta(milliseconds=500)
APART = timedelta(hours=3)


def stories() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Events on a grid of half seconds, so that ties and exact bounds are frequent."""
    return st.lists(
        st.fixed_dictionaries(
            {
                "tick": st.integers(0, 30),
                "action": st.sampled_from(["give", "take", "both", "read", "other"]),
                "actor_id": st.sampled_from(["ann", "bob", None, ""]),
                "member_id": st.sampled_from(["ann", "bob", None]),
                "entity_id": st.sampled_from(["x", "y", "z", ""]),
                "workspace_id": st.sampled_from(["one", "two"]),
                "kafka_partition": st.sampled_from([0, 1]),
                "metadata": st.sampled_from(METADATA),
            }
        ),
        min_size=1,
        max_size=24,
    )


def told(stories: Sequence[Sequence[Mapping[str, Any]]]) -> pl.DataFrame:
    """Return the events of stories that are far from each other, in the order of arrival."""
    events = [
        event
        | {
            "workspace_id": f"{event['workspace_id']} {number}",
            "occurred_at": START + number * APART + event["tick"] * STEP,
        }
        for number, story in enumerate(stories)
        for event in map(dict, story)
    ]
    columns = {
        name: pl.Series([event[name] for event in events], dtype=EVENT_SCHEMA[name])
        for name in events[0]
        if name != "tick"
    }
    return event_rows(len(events)).with_columns(**columns)


@pytest.fixture
def memory(store: Store) -> Store:
    """A store whose events are in memory, so that thousands of small stories are tried fast."""
    events = f"{store.database}.events"
    store.command(f"CREATE TABLE {store.database}.kept ENGINE = Memory AS SELECT * FROM {events}")
    store.command(f"DROP TABLE {events} SYNC")
    store.command(f"RENAME TABLE {store.database}.kept TO {events}")
    return store


def keep(store: Store, frame: pl.DataFrame) -> None:
    """Make the events those of the frame and no others."""
    store.command(f"TRUNCATE TABLE {store.database}.events")
    insert(store, frame)


def hits_of(frame: pl.DataFrame) -> dict[str, pl.Series]:
    """Return which events meet which of the single-event rules."""
    action = frame["action"]
    return {
        "give": action.is_in(["give", "both"]),
        "take": action.is_in(["take", "both"]),
        "read": action == "read",
        "any": pl.Series([True] * frame.height, dtype=pl.Boolean),
    }


def check_evidence(match: Match) -> None:
    """Check that the evidence of a match is consistent with itself."""
    assert match.evidence[0].event_id == match.first["event_id"]
    assert match.began == match.first["occurred_at"] <= match.ended
    assert len(match.evidence) == min(match.events, 100)


def key(rule: CompoundRule, values: Sequence[str]) -> str:
    """Return the group key as an alert has it."""
    return json.dumps(dict(zip(group_names(rule), values, strict=True)), separators=(",", ":"))


def window(name: str) -> timedelta:
    """Return the period of a rule's alerts."""
    return LINKED.rules[name].header.window


def insert(store: Store, frame: pl.DataFrame) -> None:
    """Add the events of a frame."""
    if frame.is_empty():
        return
    store.insert_arrow(
        f"INSERT INTO {store.database}.events ({', '.join(EVENTS)}) "
        f"SELECT * FROM {arrow_input(EVENTS)} FORMAT ArrowStream",
        arrow_body(frame, EVENTS),
    )


def compiled(store: Store, since: datetime, until: datetime) -> dict[str, list[Found]]:
    """Return what the queries of all rules find."""
    return found(
        store,
        (
            to_sql(rule, PREDICATES, since, until, database=store.database, linked=LINKED)
            for rule in LINKED.rules.values()
        ),
    )


def where_dense(store: Store, since: datetime, until: datetime) -> list[Version]:
    """Return all rules without the events that cannot matter to them."""
    compiler = Compiler(LINKED, PREDICATES)
    hits = (microseconds(since), microseconds(until))
    versions = []
    for rule in LINKED.rules.values():
        reach = compiler.reach(rule) // timedelta(microseconds=1)
        scope = Scope(store.database, hits, ((hits[0] - reach, hits[1]),))
        versions.append(Version(rule, LINKED, PREDICATES, scope))
    return narrowed(asker(store), versions)


def found(store: Store, queries: Iterable[str]) -> dict[str, list[Found]]:
    """Return what queries find, by rule."""
    rows = asker(store)(" UNION ALL ".join(f"({query})" for query in queries)).to_dicts()
    told: dict[str, list[Found]] = {name: [] for name in LINKED.rules}
    for row in rows:
        group = tuple(row["group_values"])
        numbers = row["period"], row["began"], row["ended"], row["count"], row["hits"]
        told[row["rule"]].append((group, *numbers))
    return {name: sorted(rows) for name, rows in told.items()}


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    told_stories=st.lists(stories(), min_size=8, max_size=8),
    since=st.integers(0, 20),
    until=st.integers(0, 40),
)
def test_queries_find_what_the_rules_mean(
    memory: Store, told_stories: list[list[dict[str, Any]]], since: int, until: int
) -> None:
    """Every rule has the hits, windows and counts that looking at each window by itself gives.

    It has the same where only events are looked at that lie dense.
    """
    frame = told(told_stories)
    keep(memory, frame)
    first, last = START + since * STEP, START + 7 * APART + until * STEP
    meant: dict[str, list[Found]] = {name: [] for name in LINKED.rules}
    for number in range(len(told_stories)):
        begin = START + number * APART
        story = frame.filter(pl.col("occurred_at").is_between(begin, begin + APART, closed="left"))
        interpreter = Interpreter(LINKED, MEETS, story.to_dicts())
        for name, rule in LINKED.rules.items():
            meant[name] += interpreter.found(rule, microseconds(first), microseconds(last))
    assert compiled(memory, first, last) == {name: sorted(rows) for name, rows in meant.items()}
    compiler = Compiler(LINKED, PREDICATES)
    with mock.patch.object(dense, "SHORTEST_PIECE", 1):
        versions = [v for v in where_dense(memory, first, last) if v.scope.dense]
    there = found(memory, (compiler.matches(v.rule, v.scope) for v in versions))
    for name in (version.rule.header.name for version in versions):
        assert there[name] == sorted(meant[name])


@settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    told_stories=st.lists(stories(), min_size=6, max_size=6),
    batches=st.lists(st.integers(0, 2), min_size=6 * 24, max_size=6 * 24),
)
def test_identities_do_not_depend_on_batches(
    memory: Store, told_stories: list[list[dict[str, Any]]], batches: list[int]
) -> None:
    """In whatever batches events arrive, the alerts are those that the whole history gives."""
    frame = told(told_stories)
    batch = pl.Series("batch", batches[: frame.height])
    memory.command(f"TRUNCATE TABLE {memory.database}.events")
    engine = CorrelationEngine(LINKED, PREDICATES, asker(memory), memory.database)
    alerts: set[tuple[str, str]] = set()
    offset = 0
    for number in range(3):
        part = frame.filter(batch == number).with_columns(
            pl.int_range(offset, offset + pl.len(), dtype=pl.Int64).alias("kafka_offset")
        )
        offset += part.height
        insert(memory, part)
        for match in engine.evaluate(part, hits_of(part)):
            alerts.add((match.rule.header.name, match.alert_id))
            check_evidence(match)
    whole = {
        (name, alert_id(name, key(LINKED.rules[name], row[0]), moment(row[3]), window(name)))
        for name, rows in compiled(memory, START - APART, START + 9 * APART).items()
        for row in rows
    }
    growing = {
        name
        for name, rule in LINKED.rules.items()
        if isinstance(rule, Correlation) and LINKED.growing(rule)
    }
    assert {alert for alert in alerts if alert[0] in growing} == {
        alert for alert in whole if alert[0] in growing
    }


def burst(seconds: Sequence[int], workspace: str) -> list[dict[str, Any]]:
    """Return acts of giving by one actor at these seconds."""
    return [
        {
            "occurred_at": START + timedelta(seconds=second),
            "action": "give",
            "actor_id": "ann",
            "workspace_id": workspace,
        }
        for second in seconds
    ]


def test_what_lies_apart_is_left_out(memory: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules look at the pieces in which a group is dense; at everything where these are many."""
    events = burst([0, 100, 200, 300], "sparse") + burst([600, 601, 660], "dense")
    columns = {name: [event[name] for event in events] for name in events[0]}
    keep(
        memory,
        event_rows(len(events)).with_columns(**{n: pl.Series(c) for n, c in columns.items()}),
    )
    last = START + timedelta(hours=1)
    by_name = {v.rule.header.name: v.scope.dense for v in where_dense(memory, START, last)}
    assert {place[0] for place in by_name["few"]["few"].places or ()} == {"dense"}
    # Those that count the same events share what is dense; a chain has that of its parts.
    assert by_name["alerts"]["many"] == by_name["many"]["many"]
    assert by_name["unless"] == by_name["missing"] == by_name["new_value"] == {}
    monkeypatch.setattr(dense, "MAX_PLACES", 0)
    assert where_dense(memory, START, last)[1].scope.dense["few"].places is None
    monkeypatch.setattr(dense, "MAX_KEYS", 0)
    assert where_dense(memory, START, last)[1].scope.dense == {}
