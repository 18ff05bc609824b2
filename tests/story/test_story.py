from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from auditstream.contract.catalogue import parse_catalogue, shipped_catalogue
from auditstream.contract.check import check_event
from auditstream.contract.resources import resource
from auditstream.story import Story
from auditstream.story.chronicle import CONFLICTS, REPEATS, Entry
from auditstream.story.malformed import KINDS
from auditstream.story.story import SERVICES, SMALLEST

NOW = datetime(2026, 3, 18, 15, 30, tzinfo=UTC)
SOURCE = {"service": "test", "epoch": 1, "sequence": 1}


def told(story: Story) -> list[Entry]:
    return list(story.entries())


def digest(story: Story) -> str:
    data = repr([entry.datum for entry in story.entries()] + list(story.malformed()))
    return hashlib.sha256(data.encode()).hexdigest()


@pytest.mark.parametrize("events", [SMALLEST, 777, 2_000, 13_456])
def test_story_has_exactly_as_many_records(events: int) -> None:
    """Events, repeats, conflicts and damaged records add up to the number asked for."""
    story = Story(7, events, NOW)
    entries, malformed = told(story), list(story.malformed())
    expected = story.expected()
    assert len(entries) + len(malformed) == events == expected.published
    first = {entry.datum["event_id"] for entry in entries if not entry.again}
    assert len(first) == sum(not entry.again for entry in entries) == expected.stored
    conflicts = expected.rejected - len(malformed)
    assert conflicts + expected.duplicates == sum(entry.again for entry in entries)


@pytest.mark.parametrize("seed", range(40))
def test_every_action_happens_in_the_smallest_story(seed: int) -> None:
    """Each of the 26 actions succeeds at least once, and every incident takes place."""
    story = Story(seed, SMALLEST, NOW)
    entries = [entry.datum for entry in told(story) if not entry.again]
    succeeded = {datum["action"] for datum in entries if datum["outcome"] == "success"}
    assert succeeded == set(shipped_catalogue().actions)
    escalations = [d for d in entries if d["role"] == "admin"]
    grants = [d for d in entries if d["role"] == "manage" and "connection" in d["action"]]
    assert len(escalations) == 2
    assert sorted((d["member"] is None, d["action"].endswith("changed")) for d in grants) == [
        (False, False),
        (False, True),
        (True, False),
        (True, True),
    ]
    assert len(escalations) + len(grants) == story.expected().alerts


@pytest.mark.parametrize("seed", [1, 2])
def test_every_event_meets_the_contract(seed: int) -> None:
    """Nothing but the damaged records is refused by the contract."""
    catalogue = shipped_catalogue()
    for entry in told(Story(seed, 3_000, NOW)):
        assert check_event({**entry.datum, "source": SOURCE}, catalogue, NOW) == ()


def test_same_arguments_tell_the_same_story() -> None:
    """The seed decides everything; another seed tells another story."""
    assert digest(Story(3, 1_500, NOW)) == digest(Story(3, 1_500, NOW))
    assert digest(Story(3, 1_500, NOW)) != digest(Story(4, 1_500, NOW))


def test_scripts_of_the_services_are_the_whole_story() -> None:
    """Each event is published by exactly one service, in the order of time."""
    story = Story(5, 2_500, NOW)
    scripts = {service: list(story.script(service)) for service in SERVICES}
    published = Counter(e.datum["event_id"] for script in scripts.values() for e in script)
    assert published == Counter(entry.datum["event_id"] for entry in told(story))
    for script in scripts.values():
        assert script
        assert [entry.at for entry in script] == sorted(entry.at for entry in script)
    categories = [{entry.category for entry in script} for script in scripts.values()]
    assert sum(len(found) for found in categories) == len(set().union(*categories))


def test_proportions_are_those_of_the_catalogue() -> None:
    """Actions are about as frequent as their weights say."""
    counts = Counter(entry.datum["action"] for entry in told(Story(1, 10_000, NOW)))
    weights = {action.name: action.weight for action in shipped_catalogue().actions.values()}
    total, weight = counts.total(), sum(weights.values())
    for name, count in counts.items():
        assert count / total == pytest.approx(weights[name] / weight, rel=0.25), name


def test_times_lie_in_the_week_before_now_mostly_in_office_hours() -> None:
    """Events are days old at most and not in the future; nights and weekends are quiet."""
    moments = [entry.datum["occurred_at"] for entry in told(Story(1, 5_000, NOW))]
    assert min(moments) > NOW - timedelta(days=8)
    assert max(moments) < NOW
    office = [m for m in moments if m.weekday() < 5 and 8 <= m.hour < 19]
    assert len(office) > 0.85 * len(moments)
    assert len({m.date() for m in moments}) >= 5


@pytest.mark.parametrize("seed", [1, 9])
def test_order_makes_sense(seed: int) -> None:
    """Nobody is removed who is not there, nothing happens to what does not exist."""
    for datums in by_workspace(Story(seed, 4_000, NOW)).values():
        replay_things(datums)
        replay_access(datums)


def test_repeats_are_the_same_and_conflicts_are_not() -> None:
    """An event told again is identical, but for one in each eventful workspace."""
    entries = told(Story(1, 2_000, NOW))
    first = {entry.datum["event_id"]: entry.datum for entry in entries if not entry.again}
    again = [entry.datum for entry in entries if entry.again]
    same = [datum for datum in again if datum == first[datum["event_id"]]]
    assert len(same) == REPEATS
    assert len(again) - len(same) == CONFLICTS


def test_operations_share_a_correlation_id() -> None:
    """Several events of one operation have one actor, and name the event that caused them."""
    operations: dict[str, list[dict[str, Any]]] = {}
    for entry in told(Story(1, 2_000, NOW)):
        if entry.datum["correlation_id"] and not entry.again:
            operations.setdefault(entry.datum["correlation_id"], []).append(entry.datum)
    several = [datums for datums in operations.values() if len(datums) > 1]
    assert len(several) > 20
    for first, *others in several:
        assert {datum["actor"]["id"] for datum in others} == {first["actor"]["id"]}
        assert {datum["causation_id"] for datum in others} == {first["event_id"]}


def test_some_previous_roles_are_left_to_the_history() -> None:
    """Some role changes do not say the previous role, though an earlier event does."""
    changed = [
        entry.datum
        for entry in told(Story(1, 2_000, NOW))
        if entry.datum["action"] == "connection_member_access_changed"
    ]
    left_out = [datum for datum in changed if datum["previous_role"] is None]
    assert 0.1 < len(left_out) / len(changed) < 0.5


def test_another_action_of_the_catalogue_takes_part() -> None:
    """A 27th action, known from its entry alone, happens too and meets the contract."""
    document = yaml.safe_load(resource("actions.yaml").read_text(encoding="utf-8"))
    new = dict(document["actions"]["connection_member_access_changed"])
    document["actions"]["connection_owner_changed"] = new | {
        "entity": {"type": "workspace_vault", "argument": "vault"},
        "weight": 5,
    }
    catalogue = parse_catalogue(yaml.safe_dump(document, sort_keys=False), "test")
    story = replace(Story(1, 1_000, NOW), catalogue=catalogue)
    datums = [entry.datum for entry in told(story)]
    found = [datum for datum in datums if datum["action"] == "connection_owner_changed"]
    assert found
    for datum in found:
        assert check_event({**datum, "source": SOURCE}, catalogue, NOW) == ()


def test_too_small_a_story_is_refused() -> None:
    """Fewer events than every action needs raise at once."""
    with pytest.raises(ValueError, match=str(SMALLEST)):
        Story(1, SMALLEST - 1, NOW)


def test_every_kind_of_damage_is_sent_once_in_an_eventful_workspace() -> None:
    """One record a kind, under the workspace's key, except the one without."""
    malformed = list(Story(1, 2_000, NOW).malformed())
    assert [record.reason for record in malformed] == list(KINDS)
    assert {record.key is None for record in malformed if record.reason != "null_key"} == {False}
    assert [record.reason for record in malformed if record.value is None] == ["null_value"]
    assert max(len(record.value or b"") for record in malformed) > 1_048_576


def by_workspace(story: Story) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in story.entries():
        if not entry.again and entry.datum["outcome"] == "success":
            found.setdefault(entry.datum["workspace_id"], []).append(entry.datum)
    return found


def replay_things(datums: list[dict[str, Any]]) -> None:
    """Check that groups, collections and connections are created, used and deleted in order."""
    alive: set[str] = set()
    for datum in datums:
        kind, thing = datum["entity"]["type"], datum["entity"]["id"]
        if kind in ("workspace", "workspace_audit_log"):
            continue
        if datum["action"].endswith("_created"):
            assert thing not in alive
            alive.add(thing)
        assert thing in alive, datum
        if datum["group"]:
            assert datum["group"]["id"] in alive, datum
        if datum["action"].endswith("_deleted"):
            alive.remove(thing)


def replay_access(datums: list[dict[str, Any]]) -> None:
    """Check that who is removed or changed was added, and that previous roles are right."""
    access: dict[tuple[str, str], str | None] = {}
    for datum in datums:
        subject = datum["member"] or datum["group"]
        if subject is None or datum["entity"]["type"] == "workspace":
            continue
        place = (datum["entity"]["id"], subject["id"])
        action = datum["action"]
        if "_added" in action:
            assert place not in access, datum
            access[place] = datum["role"]
            continue
        assert place in access, datum
        if datum["previous_role"]:
            assert datum["previous_role"] == access[place], datum
        if action.endswith("_removed"):
            del access[place]
        else:
            access[place] = datum["role"]
