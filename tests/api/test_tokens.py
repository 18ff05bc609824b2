"""Tokens in the table, and the commands that make and end them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from auditstream.api.verify import FRESH_SECONDS
from auditstream.cli import main
from auditstream.settings import PREFIX, Settings
from auditstream.store.connection import Store
from auditstream.store.tokens import read_tokens
from tests.stack.poll import eventually

PATH = "/v1/workspace-0/events"
Run = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.usefixtures("published")


@pytest.fixture(scope="module", params=["embedded"])
def url(request: pytest.FixtureRequest) -> str:
    """The embedded ClickHouse alone: what differs between servers is tested with the pages."""
    address: str = request.getfixturevalue("embedded_clickhouse").url
    return address


@pytest.fixture
def auditstream(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """A function that runs a command over the module's tables; code and output."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE_URL", settings.clickhouse_url)
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE_DATABASE", settings.clickhouse_database)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["auditstream", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return (code, *capsys.readouterr())

    return run


def create(run: Run, *arguments: str) -> tuple[str, str]:
    code, out, err = run("tokens", "create", "workspace-0", *arguments, "--format", "json")
    assert code == 0, err
    made = json.loads(out)
    return made["token"], made["secret"]


def status(client: TestClient, pair: tuple[str, str]) -> int:
    return client.get(PATH, params={"limit": 1}, auth=pair).status_code


def test_token_lives_from_create_to_revoke(auditstream: Run, nobody: TestClient) -> None:
    """Made, used at once, listed, rotated with overlap, revoked within seconds."""
    pair = create(auditstream, "--name", "siem", "--expires", "90d")
    assert status(nobody, pair) == 200
    code, out, _ = auditstream("tokens", "list", "workspace-0", "-f", "json")
    (listed,) = [item for item in json.loads(out) if item["token_id"] == pair[0]]
    assert (code, listed["state"], listed["name"], listed["scopes"]) == (
        0,
        "active",
        "siem",
        "read",
    )
    assert "@" in listed["created_by"]
    assert datetime.fromisoformat(listed["expires_at"]) > datetime.now(UTC) + timedelta(days=89)

    code, out, _ = auditstream("tokens", "rotate", pair[0], "--overlap", "1h", "-f", "json")
    rotated = (pair[0], json.loads(out)["secret"])
    assert status(nobody, rotated) == 200
    assert status(nobody, pair) == 200

    assert auditstream("tokens", "revoke", pair[0])[0] == 0
    refused = FRESH_SECONDS + 8.0
    eventually(lambda: status(nobody, rotated) == 401, within=refused, what="the revocation")
    assert status(nobody, pair) == 401
    assert auditstream("tokens", "revoke", pair[0])[0] == 1
    assert auditstream("tokens", "rotate", pair[0])[0] == 1


def test_rotation_without_overlap_ends_the_old_secret(auditstream: Run, nobody: TestClient) -> None:
    """At once, as far as the endpoint has not seen it lately."""
    pair = create(auditstream)
    code, out, _ = auditstream("tokens", "rotate", pair[0], "--overlap", "0s", "-f", "json")
    assert code == 0
    assert status(nobody, (pair[0], json.loads(out)["secret"])) == 200
    assert status(nobody, pair) == 401


def test_what_was_done_is_kept(auditstream: Run, store: Store) -> None:
    """Who made, rotated and revoked a token, and when: rows are only added."""
    token_id, secret = create(auditstream, "--scope", "read", "--scope", "export")
    auditstream("tokens", "rotate", token_id)
    auditstream("tokens", "revoke", token_id)
    rows = store.query_frame(
        f"SELECT toString(kind) AS kind, done_by, secret_hash, scopes "
        f"FROM {store.database}.token_events WHERE token_id = '{token_id}' ORDER BY happened_at"
    )
    assert rows["kind"].to_list() == ["created", "rotated", "revoked"]
    assert all("@" in who for who in rows["done_by"])
    hashes = rows["secret_hash"].to_list()
    assert [text.startswith("$argon2id$") for text in hashes] == [True, True, False]
    assert secret not in "".join(hashes)
    (token,) = [item for item in read_tokens(store) if item.token_id == token_id]
    assert token.scopes == ("read", "export")
    assert token.revoked_by is not None


def test_last_use_is_shown(auditstream: Run, store: Store) -> None:
    """It is the time of the last stored event of an access by the token."""
    token_id, _ = create(auditstream)
    store.command(
        f"INSERT INTO {store.database}.events (workspace_id, occurred_at, action, actor_type, "
        f"actor_id) SELECT '0000000000000000', '2026-01-02 03:04:05', 'audit_log_accessed', "
        f"'api_token', '{token_id}'"
    )
    _, out, _ = auditstream("tokens", "list", "-f", "json")
    uses = {item["token_id"]: item["last_used_at"] for item in json.loads(out)}
    assert uses[token_id].startswith("2026-01-02T03:04:05")


def test_secret_is_shown_once_for_people(auditstream: Run) -> None:
    """With what a client needs; a list never has it."""
    code, out, _ = auditstream("tokens", "create", "workspace-0", "--name", "it's")
    fields = dict(line.split(None, 1) for line in out.splitlines())
    assert code == 0
    assert len(fields["secret"]) >= 40
    assert fields["expires_at"] == "never"
    assert fields["secret"] not in auditstream("tokens", "list")[1]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["create", "nowhere"], 2, "--workspace-id"),
        (["create", "workspace-0", "--scope", "write"], 2, "read, export, alerts"),
        (["create", "workspace-0", "--expires", "soon"], 2, "like 90d"),
        (["revoke", "nothing"], 1, "there is no token nothing"),
        (["rotate", "nothing"], 1, "there is no token nothing"),
    ],
)
def test_wrong_use_is_told(auditstream: Run, arguments: list[str], code: int, told: str) -> None:
    """With what would be right."""
    ended, out, err = auditstream("tokens", *arguments)
    assert ended == code
    assert told in " ".join((out + err).split())
