"""A table of events that tests of rules fill and search, on each ClickHouse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auditstream.store.connection import Store
from auditstream.store.migrate import migrate
from tests.rules.engines import History
from tests.store.conftest import embedded_clickhouse, store_at

__all__ = ["embedded_clickhouse", "history", "rules_store"]


@pytest.fixture(scope="module", params=["embedded", pytest.param("server", marks=pytest.mark.real)])
def rules_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """All tables, for all tests of a module: use a stream of your own."""
    fixture = "embedded_clickhouse" if request.param == "embedded" else "clickhouse_server"
    server = request.getfixturevalue(fixture)
    with store_at(server.url, "audit_rules", 30.0) as store:
        migrate(store, 0)
        yield store
        store.command("DROP DATABASE audit_rules SYNC")


@pytest.fixture(scope="module")
def history(rules_store: Store) -> History:
    """The table as something to search with rules."""
    return History(rules_store)
