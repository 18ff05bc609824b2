"""The evaluation of rules over several events: after appends, by the clock, on both servers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from threading import Event as Flag
from threading import Thread
from typing import Any

import polars as pl
import pytest

from auditstream.errors import StoreError
from auditstream.rules.correlation import engine
from auditstream.rules.correlation.engine import CorrelationEngine
from auditstream.rules.correlation.match import Match
from auditstream.rules.correlation.model import CompoundRule
from auditstream.rules.correlation.refusals import Refusals
from auditstream.rules.correlation.scheduled import ScheduledRules
from auditstream.store.append import append_events
from auditstream.store.columns import EVENT_SCHEMA
from auditstream.store.connection import Store
from auditstream.store.correlate import asker
from auditstream.store.sql import URGENT
from tests.rules.correlation.documents import correlation, extension, linked
from tests.stack.poll import eventually
from tests.store.rows import START, STREAM, event_rows

PREDICATES = {name: f"e.action = '{name}'" for name in ("give", "take", "read")}
MINUTE = timedelta(minutes=1)
BY_ACTOR = ["workspace_id", "actor_id"]

THREE = correlation(
    "three",
    type="event_count",
    rules=["give"],
    group_by=BY_ACTOR,
    timespan="10m",
    condition={"gte": 3},
)
THEN = correlation(
    "then", type="temporal_ordered", rules=["give", "take"], group_by=BY_ACTOR, timespan="10m"
)


class Log:
    """A log that events are appended to, and the rules that are evaluated after each append."""

    def __init__(
        self,
        store: Store,
        *rules: CompoundRule,
        predicates: Mapping[str, str] = PREDICATES,
        **more: Any,
    ) -> None:
        self.store = store
        self.asked = 0
        self._ask = asker(store)
        self.linked = linked(rules, list(predicates))
        self.engine = CorrelationEngine(self.linked, predicates, self.ask, store.database, **more)
        self._offset = 0

    def ask(self, sql: str) -> pl.DataFrame:
        """Send a query, and count it."""
        self.asked += 1
        return self._ask(sql)

    def append(self, *events: tuple[float, str], **values: Any) -> list[Match]:
        """Append events, minutes from the start and action of each, and evaluate."""
        frame = self.frame(events, values)
        append_events(
            self.store, STREAM, 0, self._offset - 1 if self._offset else None, frame, Flag()
        )
        self._offset += frame.height
        self.asked = 0
        hits = {name: frame["action"] == name for name in PREDICATES}
        return self.engine.evaluate(frame, hits)

    def frame(self, events: Sequence[tuple[float, str]], values: dict[str, Any]) -> pl.DataFrame:
        """Return rows for events; ten seconds after the newest of them they were read."""
        columns = {"workspace_id": "w", "actor_id": "ann", "is_late": False} | values
        moments = [START + minutes * MINUTE for minutes, _ in events]
        arrived = max(*moments, START + self._offset * timedelta(milliseconds=1))
        return event_rows(len(events), first=self._offset, seed=self._offset).with_columns(
            action=pl.Series([action for _, action in events]),
            occurred_at=pl.Series(moments, dtype=EVENT_SCHEMA["occurred_at"]),
            ingested_at=pl.lit(values.pop("arrived", arrived + MINUTE / 6)).cast(
                EVENT_SCHEMA["ingested_at"]
            ),
            **{
                name: pl.lit(value, dtype=EVENT_SCHEMA[name])
                for name, value in columns.items()
                if name != "arrived"
            },
        )


def test_a_match(store: Store) -> None:
    """A match says which rule, for whom, when, by which events, and what to tell."""
    log = Log(store, THREE)
    assert log.append((0, "give"), (1, "take")) == []
    assert log.append((2, "give")) == []
    (match,) = log.append((10, "give"), (11, "read"))
    assert match.rule.header.name == "three"
    assert match.group == {"workspace_id": "w", "actor_id": "ann"}
    assert match.group_key == '{"workspace_id":"w","actor_id":"ann"}'
    assert (match.began, match.ended) == (START, START + 10 * MINUTE)
    assert (match.count, match.events, match.late) == (3, 3, False)
    assert [evidence.offset for evidence in match.evidence] == [0, 2, 3]
    assert {(e.topic, e.partition) for e in match.evidence} == {("audit.events", 0)}
    assert match.first["event_id"] == match.evidence[0].event_id
    assert set(match.first) >= set(EVENT_SCHEMA)
    assert match.first["occurred_at"] == START
    json.dumps(match.first, default=str)


def test_the_bound_belongs_to_the_window(store: Store) -> None:
    """Ten minutes and no more: a microsecond further is another window."""
    log = Log(store, THREE)
    log.append((0, "give"), (5, "give"))
    assert log.append((10 + 1 / 60_000_000, "give")) == []
    log.append((30, "give"), (35, "give"))
    assert len(log.append((40, "give"))) == 1


def test_queries_per_append(store: Store) -> None:
    """Nothing is asked for an append without a candidate, once for one that cannot match."""
    log = Log(store, THREE, THEN)
    log.append((0, "read"))
    assert log.asked == 0
    log.append((1, "give"))
    assert log.asked == 1
    assert len(log.append((2, "give"), (3, "give"))) == 1
    assert log.asked == 4


def test_a_rule_that_others_speak_for_is_not_asked_of(store: Store) -> None:
    """Only the rule that refers to it is; what gives cause to it alone gives none."""
    chain = correlation(
        "chain",
        type="temporal_ordered",
        rules=["three", "read"],
        group_by=BY_ACTOR,
        timespan="10m",
    )
    told = Log(store, THREE, THEN, chain, silent=frozenset({"three", "then"}))
    assert told.engine.candidates == {"give", "read"}
    assert told.append((0, "give"), (1, "give"), (2, "give")) == []
    (match,) = told.append((3, "read"))
    assert match.rule.header.name == "chain"
    assert told.append((4, "take")) == []
    assert told.asked == 0


def test_only_windows_with_new_events_are_evaluated(store: Store) -> None:
    """Old windows that would match stay silent: an append elsewhere does not wake them."""
    log = Log(store)
    log.append((0, "give"), (1, "give"), (2, "give"))
    log.append((0, "give"), (1, "give"), (2, "give"), actor_id="bob")
    started = Log(store, THREE)
    started._offset = 6
    assert started.append((20, "give")) == []
    assert started.append((21, "give"), actor_id="bob") == []


def test_since(store: Store) -> None:
    """Nothing that occurred before the rule was enabled raises an alert."""
    log = Log(store, THREE, since=START + 30 * MINUTE)
    assert log.append((0, "give"), (1, "give"), (2, "give")) == []
    assert log.append((28, "give"), (29, "give")) == []
    (match,) = log.append((31, "give"))
    assert match.ended == START + 31 * MINUTE


def test_late_events(store: Store) -> None:
    """An event that comes late completes the window it belongs to; the match is marked."""
    log = Log(store, THREE, THEN)
    log.append((0, "give"), (4, "give"))
    log.append((60, "read"))
    (match,) = log.append((2, "give"), is_late=True)
    assert (match.late, match.ended) == (True, START + 4 * MINUTE)
    assert log.append((70, "take"), actor_id="bob") == []
    log.append((71, "take"), actor_id="cyd")
    (match,) = log.append((70, "give"), actor_id="cyd", arrived=START + 72 * MINUTE)
    assert (match.rule.header.name, match.late) == ("then", True)
    log.append((80, "give"), actor_id="dan")
    (match,) = log.append((81, "take"), actor_id="dan", arrived=START + 82 * MINUTE)
    assert not match.late


def test_identity(store: Store) -> None:
    """A hit in the same period has the same id, one in another period another."""
    log = Log(store, THREE)
    (first,) = log.append((0, "give"), (1, "give"), (2, "give"))
    (again,) = log.append((3, "give"))
    (later,) = log.append((60, "give"), (61, "give"), (62, "give"))
    assert first.alert_id == again.alert_id != later.alert_id
    assert again.count == 4


def test_evidence_is_that_of_the_first_crossing(store: Store) -> None:
    """The window of the first hit is told, of its events a hundred; the count is the highest."""
    many = correlation(
        "many", type="event_count", rules=["give"], timespan="10m", condition={"gte": 150}
    )
    log = Log(store, many)
    (match,) = log.append(*((number / 60, "give") for number in range(250)))
    assert match.ended == START + 149 / 60 * MINUTE
    assert (match.count, match.events) == (250, 150)
    assert [evidence.offset for evidence in match.evidence] == list(range(100))


def test_catching_up(store: Store) -> None:
    """A worker that starts finds what one before it stored and did not evaluate."""
    log = Log(store)
    log.append((0, "give"), (1, "give"))
    log.append((2, "give"))
    started = Log(store, THREE)
    (match,) = started.engine.catch_up(STREAM, 0, timedelta(minutes=5))
    assert match.ended == START + 2 * MINUTE
    assert started.engine.catch_up(STREAM, 1, timedelta(minutes=5)) == []
    assert Log(store, THREE).engine.catch_up("other", 0, timedelta(minutes=5)) == []
    assert Log(store).engine.catch_up(STREAM, 0, timedelta(minutes=5)) == []


def test_catching_up_with_more_than_is_looked_at_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waited longest when a lagging worker ended is found behind what came after it."""
    monkeypatch.setattr(engine, "CAUGHT_UP_AT_ONCE", 2)
    log = Log(store)
    log.append((0, "give"), (1, "give"), (2, "give"))
    log.append((2, "give"), (3, "give"), (4, "give"), (30, "give"), actor_id="bob")
    matches = Log(store, THREE).engine.catch_up(STREAM, 0, timedelta(minutes=50))
    assert sorted(match.group["actor_id"] for match in matches) == ["ann", "bob"]


def test_odd_values(store: Store) -> None:
    """Quotes, backslashes and control characters in group values come through."""
    odd = "it's\\ \u00e9\t\n\0 {x:String} %"
    log = Log(store, THREE)
    (match,) = log.append((0, "give"), (1, "give"), (2, "give"), actor_id=odd, workspace_id=odd)
    assert match.group == {"workspace_id": odd, "actor_id": odd}


def test_first_seen_learns_first(store: Store) -> None:
    """While the workspace is new, nothing is; then a new value of a known actor is."""
    rule = extension(
        "new_country", "first_seen", rules=["give"], values=["country"], group_by=BY_ACTOR,
        history="2d", learning="1d",
    )  # fmt: skip
    day = 24 * 60
    log = Log(store, rule)
    assert log.append((0, "give"), country="CH") == []
    assert log.append((60, "give"), country="DE") == []
    assert log.append((day + 1, "give"), country="DE") == []
    (match,) = log.append((day + 2, "give"), (day + 3, "give"), country="FR")
    assert match.group == {"workspace_id": "w", "actor_id": "ann", "country": "FR"}
    assert match.ended == START + (day + 2) * MINUTE
    assert log.append((day + 4, "give"), country="FR") == []
    assert log.append((day + 5, "give"), country="US", actor_id="new") == []
    assert log.append((day + 6, "give"), country="US", workspace_id="new") == []
    assert len(log.append((3 * day + 7, "give"), country="FR")) == 0
    assert len(log.append((3 * day + 8, "give"), country="CH")) == 1


def test_absence_is_judged_once_its_time_is_over(store: Store) -> None:
    """Not before, once, and not if it happened after all."""
    rule = extension(
        "unused", "absence", after=["give"], expected=["take"], group_by=BY_ACTOR, timespan="10m"
    )
    log = Log(store, rule)
    log.append((0, "give"))
    log.append((0, "give"), (10, "take"), actor_id="bob")
    clock = ScheduledRules(log.linked, PREDICATES, log.ask, store.database)
    assert clock.due(START + 10.5 * MINUTE) == []
    (match,) = clock.due(START + 11 * MINUTE)
    assert match.group["actor_id"] == "ann"
    assert (match.began, match.ended) == (START, START + 10 * MINUTE)
    assert clock.due(START + 12 * MINUTE) == []
    again = ScheduledRules(log.linked, PREDICATES, log.ask, store.database)
    assert [other.alert_id for other in again.due(START + 20 * MINUTE)] == [match.alert_id]
    late = ScheduledRules(
        log.linked, PREDICATES, log.ask, store.database, since=START + 15 * MINUTE
    )
    assert late.due(START + 20 * MINUTE) == []


def test_a_silent_producer(store: Store) -> None:
    """Silence is told once for each time that it begins."""
    rule = extension("silent", "silence", group_by=["source_service"], timespan="15m", window="1m")
    log = Log(store, rule)
    clock = ScheduledRules(log.linked, PREDICATES, log.ask, store.database)
    log.append((0, "give"), (10, "read"), source_service="billing")
    log.append((0, "give"), (14, "read"), (28, "read"), source_service="access")
    (match,) = clock.due(START + 30 * MINUTE)
    assert match.group == {"source_service": "billing"}
    assert match.first["occurred_at"] == START + 10 * MINUTE
    log.append((40, "read"), source_service="billing")
    assert [m.group["source_service"] for m in clock.due(START + 50 * MINUTE)] == ["access"]
    assert [m.group["source_service"] for m in clock.due(START + 60 * MINUTE)] == ["billing"]


def test_what_may_be_undone_waits_for_the_clock(store: Store) -> None:
    """A correlation with a `not` is judged when the events before it have had time to arrive."""
    rule = correlation(
        "unread", type="temporal", rules=["give", "read"], group_by=BY_ACTOR, timespan="10m",
        condition="give and not read",
    )  # fmt: skip
    log = Log(store, rule)
    assert log.append((5, "give")) == []
    assert log.append((4, "read")) == []
    assert log.append((5, "give"), actor_id="bob") == []
    clock = ScheduledRules(log.linked, PREDICATES, log.ask, store.database)
    (match,) = clock.due(START + 6 * MINUTE)
    assert match.group["actor_id"] == "bob"


def test_a_refused_rule_stops_no_other(store: Store) -> None:
    """What the store refuses is told and left out, and asked again; the rest is evaluated."""
    later = f"{store.database}.later"
    torn = {"take": f"e.action = 'take' AND (SELECT count() FROM {later}) = 0"}
    unread = extension(
        "unread", "absence", after=["give"], expected=["read"], group_by=BY_ACTOR, timespan="10m"
    )
    untaken = extension(
        "untaken", "absence", after=["give"], expected=["take"], group_by=BY_ACTOR, timespan="3m"
    )
    told: list[str] = []
    refusals = Refusals(lambda name, error: told.append(name))
    log = Log(store, THREE, THEN, unread, untaken, predicates=PREDICATES | torn, refusals=refusals)
    clock = ScheduledRules(
        log.linked, PREDICATES | torn, log.ask, store.database, refusals=refusals
    )

    def names(matches: list[Match]) -> list[str]:
        return [match.rule.header.name for match in matches]

    events = [(0, "give"), (1, "give"), (2, "give"), (4, "take")]
    assert names(log.append(*events)) == ["three"]
    assert (told, list(refusals.reasons)) == (["then"], ["then"])
    assert later in refusals.reasons["then"]
    asked = log.asked
    assert names(log.append((3, "give"), (4, "take"))) == ["three"]
    assert log.asked < asked, "one that was refused is asked alone"
    assert set(names(log.engine.catch_up(STREAM, 0, 9 * MINUTE))) == {"three"}
    assert names(clock.due(START + 15 * MINUTE)) == ["unread"]
    assert set(refusals.reasons) == {"then", "untaken"}

    store.command(f"CREATE TABLE {later} (x UInt8) ENGINE = Memory")
    assert set(names(log.append((5, "take")))) == {"then"}
    assert names(clock.due(START + 16 * MINUTE)) == ["untaken"], "what it missed is looked at"
    assert refusals.reasons == {}


ACCESS = """\
CREATE TABLE {database}.effective_access
(
    workspace_id LowCardinality(String), entity_type LowCardinality(String), entity_id String,
    entity_name Nullable(String), member_id String, member_username Nullable(String),
    role Nullable(String), role_rank Nullable(UInt8), through LowCardinality(String),
    through_name Nullable(String), valid_from DateTime64(6, 'UTC'),
    valid_until Nullable(DateTime64(6, 'UTC')), grant_event_id Nullable(UUID),
    membership_event_id Nullable(UUID)
)
ENGINE = Memory"""


@pytest.fixture
def access(store: Store) -> Store:
    """A store in which effective_access is a table, to be filled by the test."""
    store.command(f"DROP VIEW IF EXISTS {store.database}.effective_access")
    store.command(ACCESS.format(database=store.database))
    return store


@pytest.mark.parametrize(
    ("before", "through", "fires"),
    [
        (None, "group", True),
        (None, "any", True),
        (None, "direct", False),
        ("manage", "group", False),
        ("query", "group", True),
        ("everyone", "any", False),
        ("ended", "any", True),
    ],
)
def test_effective_access(access: Store, before: str | None, through: str, fires: bool) -> None:
    """A membership that confers Manage fires, unless the member had it already by any way."""
    rule = extension(
        "through_group", "effective_access", rules=["give"], entity_type="workspace_connection",
        role="manage", through=through,
    )  # fmt: skip
    log = Log(access, rule)
    group = {"entity_type": "workspace_group", "entity_id": "g1"}
    # Only a group that was ever given the role is looked at.
    log.append((0, "other"), entity_type="workspace_connection", group_id="g1", role_rank=3)
    joined = log.frame([(5, "give")], group)["event_id"][0]

    def row(member: str, rank: int, way: str, since: int, until: int | None, event: str) -> str:
        end = "NULL" if until is None else f"toDateTime64('{START:%Y-%m-%d %H}:{until:02}:00', 6)"
        role = ["", "view", "query", "manage"][rank]
        return (
            f"('w', 'workspace_connection', 'c1', 'Warehouse', '{member}', NULL, '{role}', {rank}, "
            f"'{way}', NULL, toDateTime64('{START:%Y-%m-%d %H}:{since:02}:00', 6), {end}, NULL, "
            f"{event})"
        )

    rows = [row("eve", 3, "g1", 5, None, f"'{joined}'")]
    rows += {
        None: [],
        "manage": [row("eve", 3, "direct", 1, None, "NULL")],
        "query": [row("eve", 2, "direct", 1, None, "NULL")],
        "everyone": [row("", 3, "everyone", 1, None, "NULL")],
        "ended": [row("eve", 3, "direct", 1, 4, "NULL")],
    }[before]
    access.command(f"INSERT INTO {access.database}.effective_access VALUES {', '.join(rows)}")
    matches = log.append((5, "give"), member_id="eve", **group)
    assert bool(matches) == fires
    for match in matches:
        assert match.group == {
            "workspace_id": "w",
            "member_id": "eve",
            "entity_id": "c1",
            "role": "manage",
        }
        assert match.told["entity"] == "Warehouse"
        assert match.first["event_id"] == joined


def test_effective_access_through_a_large_group(access: Store) -> None:
    """Ten thousand members of a group, who all have the access, are no reason to refuse the rule.

    Those who had it another way do not fire: until the same moment is had, from it on is not.
    """
    rule = extension(
        "through_group", "effective_access", rules=["give"], entity_type="workspace_connection",
        role="manage", through="group",
    )  # fmt: skip
    refusals = Refusals()
    log = Log(access, rule, refusals=refusals)
    group = {"entity_type": "workspace_group", "entity_id": "g1"}
    log.append((0, "other"), entity_type="workspace_connection", group_id="g1", role_rank=3)
    joined = log.frame([(5, "give")], group)["event_id"][0]

    def minute(number: int) -> str:
        return f"toDateTime64('{START:%Y-%m-%d %H}:{number:02}:00', 6, 'UTC')"

    def rows(member: str, count: int, way: str, since: int, until: str, event: str) -> None:
        access.command(
            f"INSERT INTO {access.database}.effective_access SELECT 'w', 'workspace_connection', "
            f"'c' || toString(number % 5), 'Warehouse', {member}, NULL, 'manage', 3, '{way}', "
            f"NULL, {minute(since)}, {until}, NULL, {event} FROM numbers({count})"
        )

    rows("toString(intDiv(number, 5))", 50_000, "g1", 0, "NULL", "NULL")
    for member in ("eve", "until", "before", "same"):
        rows(f"'{member}'", 1, "g1", 5, "NULL", f"'{joined}'")
    rows("'until'", 1, "direct", 1, minute(5), "NULL")
    rows("'before'", 1, "direct", 1, minute(4), "NULL")
    rows("'same'", 1, "direct", 5, "NULL", "NULL")
    matches = log.append((5, "give"), **group)
    assert refusals.reasons == {}
    assert [match.group["member_id"] for match in matches] == ["before", "eve", "same"]


def test_goes_on_beside_look_ups(store: Store) -> None:
    """A query makes way for a look-up, but does not use its time up in waiting for the end."""
    look_up = Thread(target=lambda: store.query_frame("SELECT sleep(2)", settings=URGENT))
    look_up.start()
    running = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleep(%'"
    eventually(lambda: store.query_frame(running).item() == 1, within=2, what="the look-up")
    blocks = "SELECT sum(number) FROM numbers(1_000_000) SETTINGS max_block_size = 50000"
    assert asker(store, max_seconds=1)(blocks).item() == 499_999_500_000
    look_up.join()


def test_queries_change_nothing(store: Store) -> None:
    """What is asked cannot write."""
    with pytest.raises(StoreError):
        asker(store)(f"TRUNCATE TABLE {store.database}.events")
