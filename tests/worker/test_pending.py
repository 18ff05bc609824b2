"""History with what is about to be stored: nothing between the two is missed."""

from __future__ import annotations

import polars as pl

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.pipeline.records import Hits, Processed
from auditstream.worker.pending import Memory, PendingHistory
from auditstream.worker.share import NOTHING, share_out
from tests.pipeline.batches import pipeline
from tests.pipeline.events import NOW, encode, event, micros, records
from tests.pipeline.past import NoPast, Past

ALICE = {"id": "m-1", "username": "alice", "email": None}


def processed(*events: dict[str, object]) -> Processed:
    """What the pipeline makes of events without a past."""
    return pipeline().process(records([encode(item) for item in events]), NoPast())


def with_pending(*frames: pl.DataFrame, stored: Past | None = None) -> PendingHistory:
    """A history in which these frames are not stored yet."""
    memory = Memory(shipped_catalogue())
    whole = [Processed(frame, NOTHING.rejects, 0, ()) for frame in frames]
    shares = [share for item in whole for share in share_out(item, memory, no_candidates).values()]
    pending = [share.pending for share in shares if share.pending is not None]
    return PendingHistory(stored or NoPast(), lambda: pending)


def no_candidates(_events: pl.DataFrame, _hits: Hits | None) -> None:
    """No rule looks at several events."""


def test_a_pending_event_is_known() -> None:
    """The repeat of an event that is not stored yet is a repeat."""
    first = processed(event(number=1))
    again = pipeline().process(records([encode(event(number=1))]), with_pending(first.events))
    assert (again.events.height, again.duplicates) == (0, 1)


def test_a_pending_conflict_is_found() -> None:
    """Another payload under the id of an event that is not stored yet is a conflict."""
    first = processed(event(number=1))
    other = event(number=1, workspace_username="other")
    result = pipeline().process(records([encode(other)]), with_pending(first.events))
    assert result.rejects["reason"].to_list() == ["event_id_conflict"]


def test_found_in_both_counts_once() -> None:
    """An event that lands between the two looks is no conflict with itself."""
    first = processed(event(number=1))
    history = with_pending(first.events, stored=Past(events=first.events))
    again = pipeline().process(records([encode(event(number=1))]), history)
    assert (again.duplicates, again.rejects.height) == (1, 0)


def test_a_pending_role_is_known() -> None:
    """The role given by an event that is not stored yet is the previous one of the next."""
    name = "org_user_role_changed"
    first = processed(event(name, number=1, member=ALICE, role="viewer"))
    then = event(name, number=2, member=ALICE, role="admin", occurred_at=micros(NOW))
    result = pipeline().process(records([encode(then)]), with_pending(first.events))
    assert result.events["previous_role"].to_list() == ["viewer"]
    assert [alert.rule_id for alert in result.alerts] == ["role_escalation_to_admin"]


def test_a_pending_role_of_a_group_is_not_a_members() -> None:
    """A group that has the id of a member is not the member."""
    entity = {"type": "workspace_connection", "id": "c-1", "name": None}
    group = {"id": ALICE["id"], "name": None}
    first = processed(
        event("connection_group_added_with_role", 1, role="query", group=group, entity=entity)
    )
    later = {"member": ALICE, "entity": entity, "occurred_at": micros(NOW)}
    then = event("connection_member_access_changed", 2, role="view", **later)
    result = pipeline().process(records([encode(then)]), with_pending(first.events))
    assert result.events["previous_role"].to_list() == [None]


def test_a_pending_removal_ends_a_role() -> None:
    """After a removal that is not stored yet there is no previous role."""
    connection = {"type": "workspace_connection", "id": "c-1", "name": None}
    fields = {"member": ALICE, "entity": connection}
    given = event("connection_member_added_with_role", number=1, role="query", **fields)
    removed = event("connection_member_removed", number=2, **fields)
    later = event("connection_member_access_changed", number=3, role="manage", **fields)
    before = processed(given, removed)
    result = pipeline().process(records([encode(later)]), with_pending(before.events))
    assert result.events["previous_role"].to_list() == [None]
