"""Workspace tokens: rows that say what was done to each, and what follows from them."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias, get_args

from auditstream.store.connection import Store
from auditstream.store.sql import literal, literals

Scope: TypeAlias = Literal["read", "export", "alerts"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Secret:
    """The argon2 hash of a secret; taken until `until`, None for as long as the token lasts."""

    hash: str
    until: datetime | None = None


@dataclass(frozen=True)
class Token:
    """A workspace token as it stands. It may read one workspace and do what its scopes say."""

    token_id: str
    workspace_id: str
    workspace_username: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    created_by: str
    secrets: tuple[Secret, ...]
    expires_at: datetime | None = None
    rotated_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    def ended(self, now: datetime) -> bool:
        """Tell whether the token was revoked or has expired."""
        return self.revoked_at is not None or (
            self.expires_at is not None and self.expires_at <= now
        )

    def live_hashes(self, now: datetime) -> tuple[str, ...]:
        """Return the hashes of the secrets that are taken at `now`, the newest first."""
        if self.ended(now):
            return ()
        live = [s.hash for s in self.secrets if s.until is None or s.until > now]
        return tuple(reversed(live))


def add_token(store: Store, token: Token) -> None:
    """Store that a token was made. Blocks, and raises what `Store` raises."""
    _add(
        store,
        token,
        kind="created",
        at=token.created_at,
        by=token.created_by,
        secret_hash=token.secrets[0].hash,
    )


def add_rotation(
    store: Store, token: Token, secret_hash: str, old_until: datetime, at: datetime, by: str
) -> None:
    """Store that a token has a new secret; earlier ones are taken until `old_until`.

    Blocks, and raises what `Store` raises.
    """
    _add(store, token, kind="rotated", at=at, by=by, secret_hash=secret_hash, old_until=old_until)


def add_revocation(store: Store, token: Token, at: datetime, by: str) -> None:
    """Store that a token was revoked. Blocks, and raises what `Store` raises."""
    _add(store, token, kind="revoked", at=at, by=by)


def read_tokens(store: Store, workspace_username: str | None = None) -> list[Token]:
    """Return all tokens, revoked and expired ones too, in the order in which they were made.

    Blocks for some milliseconds.

    Raises:
        StoreError: there is no such table; run `auditstream migrate`.
        ServiceUnavailableError: see `Store`.
    """
    condition = (
        ""
        if workspace_username is None
        else f"WHERE workspace_username = {literal(workspace_username)} "
    )
    rows = store.query_frame(
        "SELECT token_id, happened_at, toString(kind) AS kind, done_by, workspace_id, "
        "workspace_username, name, scopes, expires_at, secret_hash, old_secrets_until "
        f"FROM {store.database}.token_events {condition}ORDER BY happened_at, kind"
    )
    return fold(rows.to_dicts())


def fold(rows: Iterable[dict[str, Any]]) -> list[Token]:
    """Return the tokens that follow from rows of `token_events`, which are in order of time."""
    tokens: dict[str, Token] = {}
    for row in rows:
        at, by = row["happened_at"], row["done_by"]
        if row["kind"] == "created":
            tokens[row["token_id"]] = Token(
                row["token_id"],
                row["workspace_id"],
                row["workspace_username"],
                row["name"],
                tuple(row["scopes"]),
                at,
                by,
                (Secret(row["secret_hash"]),),
                row["expires_at"],
            )
            continue
        token = tokens.get(row["token_id"])
        if token is None:
            continue
        if row["kind"] == "rotated":
            until = row["old_secrets_until"]
            kept = [
                secret if secret.until and secret.until < until else Secret(secret.hash, until)
                for secret in token.secrets
            ]
            secrets = (*kept, Secret(row["secret_hash"]))
            tokens[token.token_id] = replace(token, secrets=secrets, rotated_at=at)
        elif token.revoked_at is None:
            tokens[token.token_id] = replace(token, revoked_at=at, revoked_by=by)
    return list(tokens.values())


def find_workspaces(store: Store, username: str) -> list[str]:
    """Return the ids under which events of a workspace of this name are stored.

    Blocks, and raises what `Store` raises.
    """
    found = store.query_frame(
        f"SELECT DISTINCT workspace_id FROM {store.database}.events "
        f"WHERE workspace_username = {literal(username)} ORDER BY workspace_id"
    )
    return found["workspace_id"].to_list()


def last_uses(store: Store, tokens: Sequence[Token]) -> dict[str, datetime]:
    """Return when each token last read something, by the stored events of its accesses.

    Blocks, and raises what `Store` raises.
    """
    if not tokens:
        return {}
    found = store.query_frame(
        "SELECT assumeNotNull(actor_id) AS token_id, max(occurred_at) AS used_at "
        f"FROM {store.database}.events "
        f"WHERE workspace_id IN ({literals({token.workspace_id for token in tokens})}) "
        "AND action = 'audit_log_accessed' AND actor_type = 'api_token' "
        f"AND actor_id IN ({literals(token.token_id for token in tokens)}) GROUP BY token_id"
    )
    return dict(found.rows())


def _add(
    store: Store,
    token: Token,
    *,
    kind: str,
    at: datetime,
    by: str,
    secret_hash: str = "",
    old_until: datetime | None = None,
) -> None:
    values = ", ".join(
        (
            literal(token.token_id),
            _moment(at),
            literal(kind),
            literal(by),
            literal(token.workspace_id),
            literal(token.workspace_username),
            literal(token.name),
            f"[{literals(token.scopes)}]",
            _moment(token.expires_at),
            literal(secret_hash),
            _moment(old_until),
        )
    )
    store.command(
        f"INSERT INTO {store.database}.token_events (token_id, happened_at, kind, done_by, "
        "workspace_id, workspace_username, name, scopes, expires_at, secret_hash, "
        f"old_secrets_until) SELECT {values}",
        {"async_insert": 0},
    )


def _moment(moment: datetime | None) -> str:
    if moment is None:
        return "NULL"
    return f"fromUnixTimestamp64Micro({microseconds(moment)}, 'UTC')"


def microseconds(moment: datetime) -> int:
    """Return an aware time as microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)
