"""A worker that starts on a table of old events raises no flood."""

from __future__ import annotations

import pytest

from auditstream.store.migrate import migrate
from tests.bench.bench_onboarding import APPENDED, onboard
from tests.stack.clickhouse import ClickHouseServer
from tests.store.conftest import store_at

pytestmark = pytest.mark.real


def test_onboarding(clickhouse_server: ClickHouseServer) -> None:
    """What arrived last is caught up with, what arrives gives alerts of its own, and no more."""
    with store_at(clickhouse_server.url, "onboarding", 60.0) as store:
        migrate(store, 0)
        done = onboard(store, 200_000)
        store.command("DROP DATABASE onboarding SYNC")
    assert 0 < done.recent < 200
    assert len(done.caught_up) <= done.recent
    assert not done.by_clock
    assert 0 < len(done.after_append) <= APPENDED
    for alert in done.after_append:
        assert {item.event_id for item in alert.evidence} & done.new_ids, alert.sentence
