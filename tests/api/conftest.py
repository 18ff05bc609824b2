"""The endpoint over tables of its own, on the embedded ClickHouse and on a real server."""

from __future__ import annotations

import base64
import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from auditstream import AuditLog, capture_events
from auditstream.api.app import make_api
from auditstream.api.issue import Issued, create_token
from auditstream.embedded import ClickHouse
from auditstream.publish.envelope import Envelope
from auditstream.settings import Settings, load_settings
from auditstream.store.append import append_events
from auditstream.store.connection import Store, connect
from auditstream.store.migrate import migrate
from auditstream.store.tokens import SCOPES
from tests.stack.clickhouse import ClickHouseServer
from tests.store.rows import STREAM, event_rows

WORKSPACES = 2
EVENTS = 700
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


def audit_log_of_no_room(spool_dir: Path, **bound: Any) -> AuditLog:
    """Return an audit log without a broker whose spool has the bound; close it."""
    return AuditLog(
        service="auditstream-api",
        kafka_brokers="127.0.0.1:1",
        spool_dir=spool_dir,
        close_seconds=0.0,
        **bound,
    )


def basic(issued: Issued) -> str:
    """Return the header Authorization of a token."""
    pair = f"{issued.token.token_id}:{issued.secret}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def metadata_of(event: Envelope) -> dict[str, str]:
    """Return what an event tells besides what every event has."""
    return {item["key"]: item["value"] for item in event["metadata"]}


NewToken = Callable[..., Issued]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def embedded_clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """One embedded ClickHouse for the session: use a database of your own."""
    directory = tmp_path_factory.mktemp("embedded")
    with ClickHouse(directory / "data", log_path=directory / "log") as server:
        yield server


@pytest.fixture(scope="module", params=["embedded", pytest.param("server", marks=pytest.mark.real)])
def url(request: pytest.FixtureRequest) -> str:
    """The address of a ClickHouse, embedded and real in turn."""
    fixture = "embedded_clickhouse" if request.param == "embedded" else "clickhouse_server"
    server: ClickHouse | ClickHouseServer = request.getfixturevalue(fixture)
    return server.url


@pytest.fixture(scope="module")
def settings(url: str) -> Iterator[Settings]:
    """Settings with a database that the module has for itself, with all tables, empty."""
    settings = load_settings(
        clickhouse_url=url,
        clickhouse_database=f"api_{next(_numbers)}",
        kafka_brokers="127.0.0.1:1",
        api_requests_per_minute=100_000,
    )
    with connect(settings) as store:
        migrate(store, 0)
        yield settings
        store.command(f"DROP DATABASE IF EXISTS {store.database} SYNC")


@pytest.fixture(scope="module")
def store(settings: Settings) -> Iterator[Store]:
    """The tables: 700 events of two workspaces, in two Kafka partitions."""
    with connect(settings) as store:
        for partition in (0, 1):
            frame = event_rows(
                EVENTS // 2, partition=partition, seed=partition, workspaces=WORKSPACES
            )
            append_events(store, STREAM, partition, None, frame, threading.Event())
        yield store


@pytest.fixture(scope="module")
def new_token(store: Store) -> NewToken:
    """A function that makes a token of workspace 0, or of another by its number."""

    def new(
        number: int = 0, *, scopes: tuple[str, ...] = SCOPES, days: float | None = 30
    ) -> Issued:
        now = datetime.now(UTC)
        return create_token(
            store,
            workspace_id=f"{number:016x}",
            workspace_username=f"workspace-{number}",
            name="reader",
            scopes=scopes,
            by="tester@here",
            now=now,
            expires_at=None if days is None else now + timedelta(days=days),
            hasher=CHEAP,
        )

    return new


@pytest.fixture(scope="module")
def issued(new_token: NewToken) -> Issued:
    """A token of workspace 0 that may do everything."""
    return new_token()


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditLog]:
    """Where accesses are published; no broker takes them."""
    with AuditLog(
        service="auditstream-api",
        kafka_brokers="127.0.0.1:1",
        spool_dir=tmp_path_factory.mktemp("spool"),
        close_seconds=0.0,
    ) as audit:
        yield audit


@pytest.fixture(scope="module")
def nobody(settings: Settings, store: Store, audit: AuditLog) -> Iterator[TestClient]:
    """A client of the endpoint that shows no token."""
    with TestClient(make_api(settings, audit=audit)) as client:
        yield client


@pytest.fixture
def client(nobody: TestClient, issued: Issued) -> Iterator[TestClient]:
    """A client that shows the token."""
    nobody.headers["Authorization"] = basic(issued)
    yield nobody
    del nobody.headers["Authorization"]


@pytest.fixture
def published() -> Iterator[list[Envelope]]:
    """The events that the endpoint publishes during the test."""
    with capture_events() as events:
        yield events
