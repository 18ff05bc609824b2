"""Making, rotating and revoking workspace tokens."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from argon2 import PasswordHasher

from auditstream.api.verify import HASHER
from auditstream.store.connection import Store
from auditstream.store.tokens import (
    Secret,
    Token,
    add_revocation,
    add_rotation,
    add_token,
    read_tokens,
)


@dataclass(frozen=True)
class Issued:
    """A token and its new secret, which is stored nowhere: it is shown once."""

    token: Token
    secret: str = field(repr=False)


def create_token(
    store: Store,
    *,
    workspace_id: str,
    workspace_username: str,
    name: str,
    scopes: tuple[str, ...],
    by: str,
    now: datetime,
    expires_at: datetime | None = None,
    hasher: PasswordHasher = HASHER,
) -> Issued:
    """Make a token of a workspace. Blocks, and raises what `Store` raises."""
    secret = _secret()
    token = Token(
        secrets.token_hex(8),
        workspace_id,
        workspace_username,
        name,
        scopes,
        now,
        by,
        (Secret(hasher.hash(secret)),),
        expires_at,
    )
    add_token(store, token)
    return Issued(token, secret)


def rotate_token(
    store: Store,
    token: Token,
    *,
    overlap: timedelta,
    by: str,
    now: datetime,
    hasher: PasswordHasher = HASHER,
) -> Issued:
    """Give a token a new secret; the one before is taken for `overlap` more.

    Of several secrets only the newest two are taken. Blocks, and raises what `Store` raises.
    """
    secret = _secret()
    add_rotation(store, token, hasher.hash(secret), now + overlap, now, by)
    return Issued(token, secret)


def revoke_token(store: Store, token: Token, *, by: str, now: datetime) -> None:
    """End a token; a running endpoint takes it for 2 s more at most.

    Blocks, and raises what `Store` raises.
    """
    add_revocation(store, token, now, by)


def find_token(store: Store, token_id: str) -> Token | None:
    """Return a token by its id, None when there is none. Blocks; raises what `Store` raises."""
    return next((token for token in read_tokens(store) if token.token_id == token_id), None)


def _secret() -> str:
    return secrets.token_urlsafe(32)
