"""The life cycle: valid changes, races, pages; silences that are not well formed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from auditstream.alerts import life_cycle, silences
from auditstream.alerts.life_cycle import CursorError, LifeCycleError, UnknownAlertError
from auditstream.store.alert_states import AlertFilter
from auditstream.store.alerts import append_alerts
from auditstream.store.connection import Store
from tests.alerts.samples import OCCURRED, alert

NEVER = threading.Event()
ID = alert(1).alert_id


def test_life_of_an_alert(store: Store) -> None:
    """Open, acknowledged, resolved, reopened: each change is kept with who and why."""
    append_alerts(store, [alert(1)], NEVER)
    assert life_cycle.show_alert(store, ID).state.state == "open"
    life_cycle.acknowledge(store, ID, "ann", "looking")
    life_cycle.resolve(store, ID.upper(), "ann")
    life_cycle.reopen(store, ID, "bob", "it was not planned")
    story = life_cycle.show_alert(store, ID)
    assert [(item.state, item.by) for item in story.transitions] == [
        ("acknowledged", "ann"),
        ("resolved", "ann"),
        ("reopened", "bob"),
    ]
    assert (story.state.state, story.state.state_reason) == ("reopened", "it was not planned")
    assert story.alert == alert(1)


def test_changes_that_make_no_sense_are_refused(store: Store) -> None:
    """The refusal says who has done what; nothing changes."""
    append_alerts(store, [alert(1)], NEVER)
    with pytest.raises(LifeCycleError, match="is open"):
        life_cycle.reopen(store, ID, "bob")
    life_cycle.acknowledge(store, ID, "ann", "looking")
    with pytest.raises(LifeCycleError, match=r"is acknowledged by ann since .* \(looking\)"):
        life_cycle.acknowledge(store, ID, "bob")
    life_cycle.resolve(store, ID, "ann")
    for change in (life_cycle.acknowledge, life_cycle.resolve):
        with pytest.raises(LifeCycleError, match="is resolved by ann"):
            change(store, ID, "bob")
    assert len(life_cycle.show_alert(store, ID).transitions) == 2


def test_unknown_alert(store: Store) -> None:
    """An id that is none, or of no alert, is told."""
    for wrong in (ID, "17", "x' OR 1"):
        with pytest.raises(UnknownAlertError):
            life_cycle.acknowledge(store, wrong, "ann")
        with pytest.raises(UnknownAlertError):
            life_cycle.show_alert(store, wrong)


def test_one_of_several_at_once_has_it(store: Store) -> None:
    """Of people who acknowledge at one moment one succeeds; the others are told who."""
    append_alerts(store, [alert(1)], NEVER)
    barrier = threading.Barrier(4)

    def acknowledge(name: str) -> str:
        barrier.wait(10)
        try:
            return life_cycle.acknowledge(store, ID, name).by
        except LifeCycleError as refused:
            return str(refused)

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(acknowledge, ["a1", "b2", "c3", "d4"]))
    (winner,) = {"a1", "b2", "c3", "d4"} & set(answers)
    assert sum(f"acknowledged by {winner}" in answer for answer in answers) == 3
    assert len(life_cycle.show_alert(store, ID).transitions) == 1


def test_pages_follow_each_other_while_alerts_arrive(store: Store) -> None:
    """No alert of those that were there is missed or repeated by a walk over the pages."""
    append_alerts(store, [alert(n, occurred_at=OCCURRED) for n in range(7)], NEVER)
    seen: list[str] = []
    page = life_cycle.list_alerts(store, limit=3)
    while True:
        seen += [item.alert_id for item in page.alerts]
        number = 100 + len(seen)
        later = alert(number, occurred_at=OCCURRED + timedelta(seconds=number))
        append_alerts(store, [later], NEVER)
        if page.next_cursor is None:
            break
        page = life_cycle.list_alerts(store, limit=3, cursor=page.next_cursor)
    assert sorted(seen) == [alert(n).alert_id for n in range(7)]
    found = life_cycle.list_alerts(store, AlertFilter(level="critical"))
    assert found == life_cycle.Page((), None)


@pytest.mark.parametrize("cursor", ["", "x", "OTk5OTk5OTk5OTk5OTk5OTk5OTk6eA", "%%%"])
def test_foreign_cursor(store: Store, cursor: str) -> None:
    """A cursor that no page was given is an error; an empty one is the first page."""
    if cursor:
        with pytest.raises(CursorError):
            life_cycle.list_alerts(store, cursor=cursor)
    else:
        assert life_cycle.list_alerts(store, cursor=cursor).alerts == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"rule_id": None},
        {"author": " "},
        {"reason": ""},
        {"until": datetime.now(UTC) - timedelta(seconds=1)},
        {"until": datetime.now(UTC) + timedelta(days=91)},
    ],
)
def test_silence_must_be_well_formed(store: Store, wrong: dict[str, object]) -> None:
    """A silence of everything, by nobody, for no reason, or without a near end is refused."""
    given = {
        "until": datetime.now(UTC) + timedelta(hours=1),
        "author": "ann",
        "reason": "planned",
        "rule_id": "r",
    } | wrong
    with pytest.raises(silences.SilenceError):
        silences.silence(store, **given)  # type: ignore[arg-type]
    with pytest.raises(silences.SilenceError):
        silences.unsilence(store, ID, "ann")
