"""What the catalogue, the history and the addresses tell about an event."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.store.columns import EVENT_SCHEMA
from tests.pipeline.batches import pipeline
from tests.pipeline.events import BROWSER, NOW, encode, event, micros, records, valid_event
from tests.pipeline.past import NoPast


def enriched(*events: dict[str, Any]) -> list[dict[str, Any]]:
    given = records([encode(item) for item in events])
    return pipeline().process(given, NoPast()).events.to_dicts()


def test_columns() -> None:
    """The final frame has the columns of the table, in its order."""
    given = records([encode(event())])
    frame = pipeline().process(given, NoPast()).events
    assert list(frame.schema.items()) == list(EVENT_SCHEMA.items())


def test_facts_of_every_action() -> None:
    """Category, severity, description and OCSF class of every action are the catalogue's."""
    actions = list(shipped_catalogue().actions.values())
    rows = enriched(*(valid_event(action, number) for number, action in enumerate(actions)))
    for action, row in zip(actions, rows, strict=True):
        assert row["category"] == action.category
        assert row["severity"] == action.severity
        assert row["description"] == action.description
        assert row["ocsf_class_uid"] == action.ocsf.class_uid
        assert row["ocsf_activity_id"] == action.ocsf.activity_id
        assert row["role_rank"] == (action.rank(row["role"]) if row["role"] else None)


@pytest.mark.parametrize(
    ("action", "role", "previous_role", "ranks"),
    [
        ("org_user_role_changed", "admin", "viewer", (3, 1, 2)),
        ("org_user_role_changed", "viewer", "admin", (1, 3, -2)),
        ("org_user_role_changed", "member", "member", (2, 2, 0)),
        ("workspace_default_access_changed", "none", "manage", (0, 3, -3)),
        ("workspace_default_access_changed", "view", "none", (1, 0, 1)),
        ("connection_member_removed", None, "manage", (None, 3, None)),
        ("org_user_invited", "admin", None, (3, None, None)),
        ("group_created", None, None, (None, None, None)),
    ],
)
def test_ranks(
    action: str, role: str | None, previous_role: str | None, ranks: tuple[int | None, ...]
) -> None:
    """Ranks are places on the action's scale, the change is signed."""
    (row,) = enriched(event(action, role=role, previous_role=previous_role))
    assert (row["role_rank"], row["previous_role_rank"], row["role_change"]) == ranks


@pytest.mark.parametrize(
    ("seconds", "late"), [(0.0, False), (300.0, False), (300.5, True), (-3_600.0, False)]
)
def test_delay(seconds: float, late: bool) -> None:
    """The delay is from occurrence to arrival; above its bound an event is late."""
    (row,) = enriched(event(occurred_at=micros(NOW - timedelta(seconds=seconds))))
    assert (row["delay_seconds"], row["is_late"]) == (seconds, late)
    assert row["ingested_at"] == NOW


def test_actor() -> None:
    """User agent and address are described; without them the columns are empty."""
    agent = {"user_agent": BROWSER.format(120), "ip": "::FFFF:8.8.8.8"}
    with_both, without = enriched(event(actor=agent), event(number=2, actor={}))
    names = ("user_agent_family", "user_agent_os", "ip_class", "country", "network", "actor_ip")
    assert [with_both[name] for name in names] == ["Chrome", "Windows", "public", "", "", "8.8.8.8"]
    assert [without[name] for name in names] == ["", "", "", "", "", None]


def test_position() -> None:
    """Each row says where its record stood."""
    given = records([encode(event(number=number)) for number in (1, 2)], None, [3, 1], [7, 9])
    frame = pipeline().process(given, NoPast()).events
    position = ("stream", "kafka_topic", "kafka_partition", "kafka_offset", "kafka_timestamp")
    assert frame.select(position).rows() == [
        ("cluster/audit.events/topic", "audit.events", 3, 7, NOW),
        ("cluster/audit.events/topic", "audit.events", 1, 9, NOW),
    ]
