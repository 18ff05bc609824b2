"""Who has signed in: a sealed cookie, so that any process of the endpoint knows it.

The cookie holds the token's id and a digest of its secret's hash, never a secret. What the token
may do is looked up at each request, so that revoking, rotating or expiry ends the session within
the time in which the endpoint forgets a token.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from auditstream.store.tokens import Token

SESSION_SECONDS: Final = 12 * 3_600
MAX_COOKIE: Final = 2_048
_MAC_BYTES: Final = 32


@dataclass(frozen=True)
class Session:
    """A sign-in; `until` is in seconds since 1970, `mark` a digest of the secret's hash."""

    token_id: str
    mark: str
    nonce: str
    until: int


class Sessions:
    """Makes and reads cookies of sessions, sealed under the key that `read_key` returns.

    The first call of a method blocks for reading the key, and raises what `read_key` raises.
    """

    def __init__(
        self, read_key: Callable[[], bytes], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._read_key = read_key
        self._clock = clock

    def begin(self, token: Token) -> tuple[Session, str]:
        """Return a new session of a token that was verified, and its cookie."""
        until = int(self._clock()) + SESSION_SECONDS
        marks = self._marks(token)
        session = Session(token.token_id, marks[0] if marks else "", new_nonce(), until)
        body = json.dumps(asdict(session)).encode()
        return session, _text(self._mac(b"session", body) + body)

    def open(self, cookie: str) -> Session | None:
        """Return the session of a cookie, None when it is not one of ours or has expired."""
        if len(cookie) > MAX_COOKIE:
            return None
        try:
            raw = base64.b64decode(cookie + "=" * (-len(cookie) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(b"session", body)):
            return None
        session = Session(**json.loads(body))
        return session if session.until > self._clock() else None

    def holds(self, session: Session, token: Token) -> bool:
        """Tell whether the secret that the session began with is still one of the token's."""
        return session.token_id == token.token_id and session.mark in self._marks(token)

    def form_token(self, nonce: str) -> str:
        """Return the CSRF token of the forms of a session or of a sign-in."""
        return _text(self._mac(b"form", nonce.encode()))

    def form_is_ours(self, nonce: str, token: str) -> bool:
        """Tell whether a form holds the CSRF token that belongs to the nonce."""
        shown = token.encode(errors="replace")
        return hmac.compare_digest(self.form_token(nonce).encode(), shown)

    def _marks(self, token: Token) -> list[str]:
        live = token.live_hashes(datetime.fromtimestamp(self._clock(), UTC))
        return [_text(self._mac(b"mark", stored.encode())[:16]) for stored in live]

    def _mac(self, purpose: bytes, body: bytes) -> bytes:
        return hmac.digest(self._key, purpose + b"\0" + body, hashlib.sha256)

    @cached_property
    def _key(self) -> bytes:
        return hashlib.sha256(b"auditstream sessions\0" + self._read_key()).digest()


def new_nonce() -> str:
    """Return what cannot be guessed."""
    return secrets.token_urlsafe(16)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
