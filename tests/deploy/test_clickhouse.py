"""The ClickHouse users in deploy/, on a real server."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import polars as pl
import pytest

from auditstream.errors import StoreError
from auditstream.settings import load_settings
from auditstream.store.columns import EVENTS
from auditstream.store.connection import Store, connect
from auditstream.store.masked import MASKS
from auditstream.store.migrate import migrate
from auditstream.store.rejects import append_rejects
from tests.stack.clickhouse import ClickHouseServer
from tests.stack.fixtures import NewClickHouseWith
from tests.store.log import Log, act, rows
from tests.store.rows import reject_rows

USERS = Path(__file__).parents[2] / "deploy" / "clickhouse" / "users.d"
NAMES = ("analyst", "workspace_analyst", "investigator")
WORKSPACES = ("w-1", "w-2")

CONFINED_VIEWS = (
    "events_masked",
    "role_changes",
    "membership_changes",
    "group_changes",
    "collection_changes",
    "connection_changes",
    "permission_changes",
    "audit_log_accesses",
    "access_grants",
    "effective_access",
    "group_members",
    "activity_by_hour",
    "actor_profile",
    "first_and_last_seen",
    "rejects",
    "alerts",
)

SignIn = Callable[[str], Store]

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server(clickhouse_with_users: NewClickHouseWith) -> ClickHouseServer:
    """A server with the users of deploy/ and a log of two workspaces."""
    passwords = {
        f"AUDIT_{name.upper()}_PASSWORD_SHA256": hashlib.sha256(name.encode()).hexdigest()
        for name in NAMES
    }
    server = clickhouse_with_users(USERS, passwords)
    with connect(load_settings(clickhouse_url=server.url)) as store:
        migrate(store, 0)
        tell(store)
    return server


def tell(store: Store) -> None:
    """Tell the same of two workspaces: something for every view."""
    mail = {"role": "admin", "ip": "203.0.113.9", "email": "ana@example.org"}
    story = [
        act("org_user_role_changed", 1, member="bob", role="admin", previous_role="member"),
        act("collection_member_added", 2, "k1", member="bob", role="edit"),
        act("connection_member_added_with_role", 3, "c1", member="bob", role="query"),
        act("group_member_added", 4, "g1", member="bob"),
        act("audit_log_accessed", 5),
    ]
    log = Log(store)
    for name in WORKSPACES:
        log.arrive(9, *(step | {"workspace": name, "request": mail} for step in story))
    rejects = reject_rows([1, 2]).with_columns(pl.Series("key", WORKSPACES).cast(pl.Binary))
    append_rejects(store, rejects, Event())
    for name in WORKSPACES:
        store.command(f"INSERT INTO audit.alerts (workspace_id) SELECT '{name}'")


@pytest.fixture
def sign_in(server: ClickHouseServer) -> Iterator[SignIn]:
    """A function that signs in by the name of a user."""
    with ExitStack() as stores:

        def connected(name: str, password: str | None = None) -> Store:
            settings = load_settings(
                clickhouse_url=server.url,
                clickhouse_user=name,
                clickhouse_password=name if password is None else password,
            )
            return stores.enter_context(connect(settings))

        yield connected


@pytest.mark.parametrize("view", CONFINED_VIEWS)
def test_who_sees_which_workspaces(sign_in: SignIn, view: str) -> None:
    """One workspace for its analyst, all for the others, in every view with all its columns."""
    for name, expected in zip(NAMES, (WORKSPACES, WORKSPACES[:1], WORKSPACES), strict=True):
        store = sign_in(name)
        rows(store, f"SELECT * FROM {{database}}.{view}")
        found = rows(store, f"SELECT DISTINCT workspace_id FROM {{database}}.{view} ORDER BY 1")
        assert tuple(row[0] for row in found) == expected, (view, name)


def test_the_past_is_confined_too(sign_in: SignIn) -> None:
    """What was known earlier is asked for through views as well, and confined like them."""
    for view in ("access_grants", "effective_access", "group_members"):
        found = rows(
            sign_in("workspace_analyst"),
            f"SELECT DISTINCT workspace_id FROM {{database}}.{view}_known_at("
            "known_at = '2100-01-01 00:00:00')",
        )
        assert found == [("w-1",)]


@pytest.mark.parametrize(
    "view",
    [
        "effective_access_at(workspace = '{0}', entity = 'c1', at = '2025-05-01 09:00:00')",
        "access_grants_between(workspace = '{0}', since = '2025-05-01', until = '2025-05-02')",
        "group_members_between(workspace = '{0}', since = '2025-05-01', until = '2025-05-02')",
        "actor_profile_between(workspace = '{0}', since = '2025-05-01', until = '2025-05-02')",
        "first_and_last_seen_between(workspace='{0}', since='2025-05-01', until='2025-05-02')",
    ],
)
def test_a_named_workspace_is_confined_too(sign_in: SignIn, view: str) -> None:
    """Naming another workspace as a parameter shows nothing of it; an analyst of all sees it."""
    for name, seen in zip(NAMES, (WORKSPACES, WORKSPACES[:1], WORKSPACES), strict=True):
        for workspace in WORKSPACES:
            query = f"SELECT DISTINCT workspace_id FROM {{database}}.{view.format(workspace)}"
            expected = [(workspace,)] if workspace in seen else []
            assert rows(sign_in(name), query) == expected, (name, workspace)


@pytest.mark.parametrize("column", sorted(MASKS))
def test_addresses_and_mail(sign_in: SignIn, column: str) -> None:
    """An investigator sees them; others are refused the column and see it masked."""
    plain = {"actor_ip": "203.0.113.9", "actor_email": "ana@example.org"}.get(
        column, "bob@example.org"
    )
    masked = {"actor_ip": "*113.9"}.get(column, "*@example.org")
    query = "SELECT DISTINCT {0} FROM {{database}}.{1} WHERE action = 'group_member_added'"
    investigator = sign_in("investigator")
    assert rows(investigator, query.format(column, "events")) == [(plain,)]
    for name in ("analyst", "workspace_analyst"):
        store = sign_in(name)
        assert rows(store, query.format(column, "events_masked")) == [(masked,)]
        with pytest.raises(StoreError, match="ACCESS_DENIED"):
            rows(store, query.format(column, "events"))
        with pytest.raises(StoreError, match="ACCESS_DENIED"):
            rows(store, f"SELECT count() FROM {{database}}.events WHERE {column} = '{plain}'")


def test_everything_else_of_events_is_granted() -> None:
    """An analyst may read all columns but the masked ones, and that by which views search."""
    text = "".join((USERS / "audit_readers.xml").read_text().split())
    columns = text.partition("GRANTSELECT(")[2].partition(")ONaudit.events<")[0]
    assert set(columns.split(",")) == set(EVENTS) - set(MASKS) | {"role_key"}


@pytest.mark.parametrize("name", NAMES)
def test_nobody_writes(sign_in: SignIn, name: str) -> None:
    """A reader changes neither rows nor tables nor rights, nor what limits it."""
    store = sign_in(name)
    for statement in (
        "INSERT INTO audit.alerts (workspace_id) VALUES ('w-1')",
        "ALTER TABLE audit.events DELETE WHERE 1",
        "TRUNCATE TABLE audit.events",
        "DROP VIEW audit.effective_access",
        "CREATE VIEW audit.mine AS SELECT 1",
        "GRANT SELECT ON audit.* TO analyst",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_execution_time = 3000",
        "SELECT 1 SETTINGS max_execution_time = 0",
        "SELECT 1 SETTINGS max_memory_usage = 0",
        "SELECT 1 SETTINGS max_result_rows = 0",
        "SELECT 1 SETTINGS max_memory_usage_for_user = 0",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1', 'LineAsString')",
    ):
        assert is_refused(store, statement), statement


def is_refused(store: Store, statement: str) -> bool:
    """Whether the server refuses a statement."""
    try:
        store.command(statement)
    except StoreError:
        return True
    return False


def test_limits_hold(sign_in: SignIn) -> None:
    """A query that takes too long or too much memory is ended."""
    store = sign_in("analyst")
    assert store.query_frame("SELECT getSetting('max_execution_time') AS s").item() == 60
    with pytest.raises(StoreError, match="TIMEOUT_EXCEEDED"):
        store.query_frame(
            "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number)) "
            "SETTINGS max_execution_time = 1"
        )
    with pytest.raises(StoreError, match="MEMORY_LIMIT_EXCEEDED"):
        store.query_frame(
            "SELECT groupArray(number) FROM numbers(100000000) SETTINGS max_memory_usage = 1000000"
        )
    quota = store.query_frame("SELECT max_queries FROM system.quota_usage").item()
    assert quota == 5000


@pytest.mark.parametrize(
    "table",
    [
        "rejected_events",
        "schema_migrations",
        "sequence_gaps",
        "sequence_gaps_between(since = '2025-05-01', until = '2025-05-02')",
    ],
)
def test_what_a_workspace_analyst_may_not_read(sign_in: SignIn, table: str) -> None:
    """The bytes of rejected records, and what runs through all workspaces."""
    with pytest.raises(StoreError, match="ACCESS_DENIED"):
        rows(sign_in("workspace_analyst"), f"SELECT * FROM {{database}}.{table}")


def test_a_wrong_password(sign_in: Callable[..., Store]) -> None:
    """Without the password nobody signs in."""
    for name in NAMES:
        with pytest.raises(StoreError):
            rows(sign_in(name, ""), "SELECT 1")
