"""Whether a secret is that of a token: argon2 once, then a keyed digest for a while.

Argon2 is slow on purpose, about 20 ms; a client that asks again is known by a keyed BLAKE2 digest
of its secret, under a key of this process. What a token may do is read from the table again every
`FRESH_SECONDS`, so that a revocation takes effect within that time in every process. Whatever is
shown, known or unknown, costs the same: `HASHES` verifications, of a stand-in where there is no
hash, and no comparison ends early.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from auditstream.api.credentials import Credentials
from auditstream.store.shared import Shared
from auditstream.store.tokens import Token

FRESH_SECONDS: Final = 2.0
KNOWN_SECONDS: Final = 600.0
HASHES: Final = 2
"""Secrets of a token that can be taken at a time: the newest, and the one before it."""

MAX_SECRET: Final = 256
MAX_KNOWN: Final = 10_000
AT_ONCE: Final = 2

HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""Argon2id as OWASP's cheat sheet on password storage has it."""


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class _Known:
    digest: bytes
    hash: str
    until: float


class Verifier:
    """Verifies credentials against the tokens that `read_tokens` returns; for many threads.

    `clock` is in seconds and never goes back, `now` returns the aware time.
    """

    def __init__(
        self,
        read_tokens: Callable[[], list[Token]],
        *,
        hasher: PasswordHasher = HASHER,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._read_tokens = Shared(read_tokens)
        self._hasher = hasher
        self._clock = clock
        self._now = now
        self._key = secrets.token_bytes(32)
        self._stand_in = hasher.hash(secrets.token_urlsafe(32))
        self._tokens: dict[str, Token] = {}
        self._fresh_until = float("-inf")
        self._known: dict[str, _Known] = {}
        self._hashing = threading.Semaphore(AT_ONCE)

    def recall(self, credentials: Credentials) -> Token | None:
        """Return the token if the credentials were verified lately; does not block.

        None says nothing: ask `verify`.
        """
        if self._clock() >= self._fresh_until:
            return None
        token = self._tokens.get(credentials.token_id)
        known = self._known.get(credentials.token_id)
        if token is None or known is None or self._clock() >= known.until:
            return None
        if not hmac.compare_digest(known.digest, self._digest(credentials)):
            return None
        return token if known.hash in token.live_hashes(self._now()) else None

    def recall_anew(self, credentials: Credentials) -> Token | None:
        """Do as `recall`, after the tokens were read again if that was due.

        Blocks for that reading; raises as `verify` does.
        """
        if self._clock() >= self._fresh_until:
            self._refresh()
        return self.recall(credentials)

    def verify(self, credentials: Credentials) -> Token | None:
        """Return the token if the secret is one of its own, else None.

        Blocks for about 40 ms, and for others that do the same.

        Raises:
            ServiceUnavailableError, StoreError: the tokens cannot be read.
        """
        # Always: a token that was just made counts, and one that is known costs the same.
        self._refresh()
        token = self.recall(credentials)
        if token is not None:
            return token
        token = self._tokens.get(credentials.token_id)
        live = token.live_hashes(self._now())[:HASHES] if token else ()
        padded = live + (self._stand_in,) * (HASHES - len(live))
        secret = credentials.secret[:MAX_SECRET]
        with self._hashing:
            matches = [self._matches(stored, secret) for stored in padded]
        found = [stored for stored, matching in zip(live, matches, strict=False) if matching]
        if token is None or not found:
            return None
        self._remember(credentials, found[0])
        return token

    def find(self, token_id: str) -> Token | None:
        """Return the token with an id if it is neither revoked nor expired.

        Blocks when the tokens have to be read again; raises as `verify` does.
        """
        if self._clock() >= self._fresh_until:
            self._refresh()
        token = self._tokens.get(token_id)
        return None if token is None or token.ended(self._now()) else token

    def stands(self, token: Token) -> bool:
        """Tell whether a token that was verified is still there; blocks and raises as `find`."""
        return self.find(token.token_id) is not None

    def _matches(self, stored: str, secret: str) -> bool:
        try:
            return self._hasher.verify(stored, secret)
        except (VerificationError, InvalidHashError):
            return False

    def _refresh(self) -> None:
        # From before the reading, so that a revocation waits no longer than it should.
        until = self._clock() + FRESH_SECONDS
        self._tokens = {token.token_id: token for token in self._read_tokens.read()}
        self._fresh_until = until

    def _remember(self, credentials: Credentials, stored: str) -> None:
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        until = self._clock() + KNOWN_SECONDS
        self._known[credentials.token_id] = _Known(self._digest(credentials), stored, until)

    def _digest(self, credentials: Credentials) -> bytes:
        shown = credentials.secret.encode(errors="surrogatepass")
        return hashlib.blake2b(shown, key=self._key, person=b"secret").digest()
