"""What becomes of an alert: routes, silences, maintenance, streaks, counts, digests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditstream.alerts.planner import Plan, Planner, next_digest
from auditstream.alerts.streaks import Streaks
from auditstream.contract.alert import Alert, Evidence
from auditstream.notifier_settings import NotifierSettings
from auditstream.store.alert_deliveries import Decided
from auditstream.store.alert_silences import Silence
from tests.alerts.samples import OCCURRED, alert

NOW = OCCURRED + timedelta(seconds=2)
CONSOLE = {"type": "console", "every": False}
MINUTE = timedelta(minutes=1)


def planner(**settings: Any) -> Planner:
    settings.setdefault("destinations", {"chat": CONSOLE})
    return Planner(NotifierSettings.model_validate(settings))


def sent(plan: Plan) -> list[tuple[str, str]]:
    """Destination and kind of what is to be delivered."""
    return [(row.destination, row.kind) for row in plan.rows if row.state == "planned"]


def held(plan: Plan) -> list[tuple[str, str]]:
    """What held the alert back."""
    return [(row.state, row.held_by) for row in plan.rows if row.state != "planned"]


def events(first: int, count: int) -> tuple[Evidence, ...]:
    return tuple(Evidence(f"e-{n}", "audit.events", 0, n) for n in range(first, first + count))


DESTINATIONS = dict.fromkeys(("chat", "pager", "mail", "night"), CONSOLE)
ROUTES = [
    {"levels": ["critical"], "to": ["pager"], "last": True},
    {"rules": ["role_*"], "workspaces": ["ws-*"], "to": ["chat"]},
    {
        "levels": ["high"],
        "to": ["night"],
        "hours": {"start": "22:00", "end": "06:00", "zone": "UTC"},
    },
    {"levels": ["low"], "to": ["mail"], "digest_minutes": 60},
]


@pytest.mark.parametrize(
    ("fields", "now", "expected"),
    [
        ({"level": "critical"}, NOW, [("pager", "alert")]),
        ({}, NOW, [("chat", "alert"), ("night", "alert")]),
        ({}, NOW + timedelta(hours=8), [("chat", "alert")]),
        ({"level": "low", "rule_id": "x"}, NOW, [("mail", "digest")]),
        ({"level": "medium", "workspace_id": "other"}, NOW, [("mail", "alert")]),
    ],
)
def test_routes(fields: dict[str, Any], now: datetime, expected: list[tuple[str, str]]) -> None:
    """Level, rule, workspace and time of day choose; where none does, the default is told."""
    plans = planner(destinations=DESTINATIONS, routes=ROUTES, default=["mail"])
    assert sent(plans.plan(alert(1, **fields), 0, 0, now)) == expected


def test_no_route_tells_everybody() -> None:
    """Without routes and default every destination is told: silence is never the default."""
    plan = planner(destinations=DESTINATIONS).plan(alert(1), 0, 0, NOW)
    assert sent(plan) == [(name, "alert") for name in DESTINATIONS]


def test_delivery_ids_are_the_same_for_every_planner() -> None:
    """A notifier that plans an alert again plans the same deliveries."""
    first, second = (planner(destinations=DESTINATIONS).plan(alert(1), 0, 0, NOW) for _ in "ab")
    ids = [row.delivery_id for row in first.rows]
    assert ids == [row.delivery_id for row in second.rows]
    assert len(set(ids)) == len(DESTINATIONS)


SILENCE = Silence("s-1", NOW - MINUTE, NOW + 60 * MINUTE, "grace", "onboarding")


@pytest.mark.parametrize(
    ("fields", "hides"),
    [
        ({"rule_id": "role_escalation"}, True),
        ({"rule_id": "other"}, False),
        ({"level": "high", "actor": "ada.khan"}, True),
        ({"level": "high", "actor": "eve"}, False),
        ({"workspace_id": "ws-1"}, True),
        ({"entity": "harbour"}, True),
        ({"entity": "other"}, False),
        ({"rule_id": "role_escalation", "until": NOW}, False),
        ({"rule_id": "role_escalation", "cancelled": True}, False),
    ],
)
def test_silences(fields: dict[str, Any], hides: bool) -> None:
    """A silence hides what agrees with all it names, while it is in force, and is noted."""
    from dataclasses import replace

    plans = planner()
    plans.silences = (replace(SILENCE, **fields),)
    plan = plans.plan(alert(1), 0, 0, NOW)
    assert held(plan) == ([("silenced", "s-1")] if hides else [])
    assert bool(sent(plan)) is not hides


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-03-15T01:30+01:00", False),
        ("2026-03-15T02:00+01:00", True),
        ("2026-03-15T03:59+01:00", True),
        ("2026-03-15T04:00+01:00", False),
        ("2026-03-16T02:30+01:00", False),
        ("2026-07-05T02:30+02:00", True),
    ],
)
def test_maintenance_window(moment: str, inside: bool) -> None:
    """Sunday from 2 to 4 in Berlin, in winter and in summer, by when it happened."""
    hours = {"start": "02:00", "end": "04:00", "days": ["sun"], "zone": "Europe/Berlin"}
    plans = planner(maintenance=[{"name": "sunday", "hours": hours}])
    plan = plans.plan(alert(1, occurred_at=datetime.fromisoformat(moment)), 0, 0, NOW)
    assert held(plan) == ([("maintenance", "sunday")] if inside else [])


@pytest.mark.parametrize(
    ("moment", "inside"),
    [("2026-03-14T23:00", True), ("2026-03-15T01:00", True), ("2026-03-14T01:00", False)],
)
def test_window_across_midnight(moment: str, inside: bool) -> None:
    """A window that ends the next morning belongs to the day on which it starts."""
    hours = {"start": "22:00", "end": "02:00", "days": ["sat"]}
    plans = planner(maintenance=[{"name": "night", "hours": hours}])
    occurred = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert bool(held(plans.plan(alert(1, occurred_at=occurred), 0, 0, NOW))) is inside


def series(plans: Planner, minutes: list[int]) -> list[int]:
    """The minutes of those alerts of one group that are told."""
    told = []
    for number, minute in enumerate(minutes):
        item = alert(number, occurred_at=OCCURRED + minute * MINUTE)
        if sent(plans.plan(item, 0, number, NOW)):
            told.append(minute)
    return told


def test_alert_that_goes_on_is_told_ever_more_rarely() -> None:
    """Every 30 min for a day: told at once, after 1 h, 2 h, 4 h, 8 h; not 48 times."""
    assert series(planner(), list(range(0, 24 * 60, 30))) == [0, 60, 180, 420, 900]


def test_backoff_has_a_bound() -> None:
    """The time between two repeats grows no further than the setting."""
    told = series(planner(backoff_hours=2), list(range(0, 12 * 60, 30)))
    assert told == [0, 60, 180, 300, 420, 540, 660]


def test_what_comes_after_a_quiet_window_is_new() -> None:
    """After a window without a hit the next one is told at once."""
    assert series(planner(), [0, 30, 91, 200, 210]) == [0, 91, 200]


def test_late_alert_is_not_held_back_by_a_later_one() -> None:
    """An alert about something long before is told, and changes nothing for those after it."""
    assert series(planner(), [600, 0, 610]) == [600, 0]


def test_other_groups_are_told() -> None:
    """Another group key or rule is another streak."""
    plans = planner()
    items = [alert(1), alert(2), alert(3, group_key="g"), alert(4, rule_id="r")]
    assert [bool(sent(plans.plan(item, 0, 0, NOW))) for item in items] == [True, False, True, True]


def test_window_of_the_rule_counts() -> None:
    """A rule with a window of 5 min is told again after 5 min."""
    plans = planner()
    items = [
        alert(n, occurred_at=OCCURRED + minute * MINUTE, window_seconds=300)
        for n, minute in enumerate((0, 4, 5))
    ]
    assert [bool(sent(plans.plan(item, 0, 0, NOW))) for item in items] == [True, False, True]


def test_destination_that_wants_every_alert_has_it() -> None:
    """Back-off is for people: a machine's destination is told of each alert."""
    plans = planner(destinations={"chat": CONSOLE, "siem": {"type": "console", "every": True}})
    plans.plan(alert(1), 0, 0, NOW)
    plan = plans.plan(alert(2), 0, 1, NOW)
    assert sent(plan) == [("siem", "alert")]
    assert held(plan) == [("suppressed", alert(1).alert_id)]


def test_known_alert_is_counted_and_told_at_10_and_100() -> None:
    """Further events of an alert change its count; it is told again as that grows tenfold."""
    plans = planner()
    told = []
    for number in range(120):
        item = alert(1, evidence=events(number, 1))
        plan = plans.plan(item, 0, number, NOW)
        told += [(row.kind, row.count) for row in plan.rows]
    assert told == [("alert", 1), ("repeat", 10), ("repeat", 100)]


def test_event_that_is_read_again_does_not_count_again() -> None:
    """A replay raises the same alert with the same events: the count stays."""
    plans = planner()
    for _ in range(30):
        plan = plans.plan(alert(1, evidence=events(0, 5), event_count=5), 0, 0, NOW)
    assert plan.rows == ()


def test_acknowledged_alert_is_not_repeated() -> None:
    """Whoever has acknowledged an alert is not told that it goes on."""
    plans = planner()
    plans.plan(alert(1, evidence=events(0, 1)), 0, 0, NOW)
    plans.settled = frozenset({alert(1).alert_id})
    assert plans.plan(alert(1, evidence=events(1, 50), event_count=50), 0, 1, NOW).rows == ()


def test_more_events_than_evidence_are_counted() -> None:
    """An alert that names 100 of 5,000 events stands for 5,000."""
    plans = planner()
    (row,) = plans.plan(alert(1, evidence=events(0, 100), event_count=5_000), 0, 0, NOW).rows
    assert row.count == 5_000


def test_digest_is_due_at_whole_intervals() -> None:
    """All alerts of an interval share a digest, whichever notifier plans them."""
    noon = datetime(2026, 3, 14, 12, tzinfo=UTC)
    assert next_digest(noon, 60) == noon + 60 * MINUTE
    assert next_digest(noon + 59 * MINUTE, 60) == noon + 60 * MINUTE
    assert next_digest(noon + 59 * MINUTE, 15) == noon + 60 * MINUTE


def decided(item: Alert, plan: Plan) -> Decided:
    state = "planned" if sent(plan) else "suppressed"
    return Decided(
        item.alert_id,
        NOW,
        state,  # type: ignore[arg-type]
        item.rule_id,
        item.group_key,
        item.occurred_at,
        item.window_seconds,
    )


@given(
    minutes=st.lists(st.integers(0, 3_000), min_size=1, max_size=40),
    cut=st.integers(0, 39),
)
def test_restored_planner_decides_like_one_that_went_on(minutes: list[int], cut: int) -> None:
    """A notifier that was killed after any alert decides on as if it had not been."""
    steady, first, second = planner(), planner(), planner()
    decisions: list[Decided] = []
    current = first
    for number, minute in enumerate(minutes):
        if number == cut:
            second.restore(decisions, {})
            current = second
        item = alert(number, occurred_at=OCCURRED + minute * MINUTE)
        plan = current.plan(item, 0, number, NOW)
        assert sent(plan) == sent(steady.plan(item, 0, number, NOW))
        decisions.append(decided(item, plan))


def test_restored_counts_go_on() -> None:
    """The count begins where the ledger's hits are, and what was planned is not planned again."""
    plans = planner()
    item = alert(1)
    past = Decided(
        item.alert_id, NOW, "planned", item.rule_id, item.group_key, item.occurred_at, 3600
    )
    plans.restore([past], {item.alert_id: ({f"e-{n}" for n in range(9)}, 0)})
    plan = plans.plan(alert(1, evidence=events(9, 1)), 0, 0, NOW)
    assert [(row.kind, row.count) for row in plan.rows] == [("repeat", 10)]


def test_streaks_that_are_over_are_forgotten() -> None:
    """Memory holds the streaks of the last days only."""
    streaks = Streaks(timedelta(hours=24))
    for number in range(100):
        streaks.held_back_by("r", str(number), "a", OCCURRED, timedelta(hours=1))
    streaks.forget_before(OCCURRED + timedelta(days=2))
    assert not streaks._streaks
