"""Events of several workspaces, and whether they arrived."""

from __future__ import annotations

from auditstream import Actor, AuditLog, Ref, Workspace
from tests.publish.topic import Record, first_sequences, read_ids

WORKSPACES = ("w-1", "w-2", "w-3", "w-4")


def emit(audit: AuditLog, count: int) -> list[str]:
    """Emit events of several workspaces in turn; return their ids."""
    return [
        audit.connection_created(
            workspace=Workspace(WORKSPACES[number % len(WORKSPACES)]),
            connection=Ref(f"c-{number}", "warehouse"),
            actor=Actor("u-1"),
        )
        for number in range(count)
    ]


def assert_all_in_order(bootstrap: str, ids: list[str], but: int = 0) -> list[Record]:
    """Fail unless every event is in the topic, and each workspace's in the order of emission.

    At most `but` other events may be there: a producer that is killed may have accepted one and
    not have said so. Return the records.
    """
    records = read_ids(bootstrap, ids)
    for workspace in WORKSPACES:
        sequences = first_sequences(records, workspace)
        assert sequences == sorted(sequences)
    assert len({record.event_id for record in records} - set(ids)) <= but
    return records
