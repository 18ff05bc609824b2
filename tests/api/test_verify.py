"""Secrets of tokens: taken, refused, rotated, revoked; and at what cost."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher

from auditstream.api.credentials import Credentials, read_credentials
from auditstream.api.verify import FRESH_SECONDS, HASHES, KNOWN_SECONDS, Verifier
from auditstream.store.tokens import Secret, Token

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


class Counting(PasswordHasher):
    """An argon2 hasher that counts its verifications."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=64, parallelism=1)
        self.verified: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002
        self.verified.append(str(hash))
        return super().verify(hash, password)


class Setting:
    """A verifier over tokens that the test changes, with clocks that it moves."""

    def __init__(self) -> None:
        self.tokens = {"known": token("known", "right")}
        self.readings = 0
        self.seconds = 0.0
        self.hasher = Counting()
        self.verifier = Verifier(
            self.read,
            hasher=self.hasher,
            clock=lambda: self.seconds,
            now=lambda: NOW + timedelta(seconds=self.seconds),
        )

    def read(self) -> list[Token]:
        self.readings += 1
        return list(self.tokens.values())

    def takes(self, secret: str, of: str = "known") -> bool:
        credentials = Credentials(of, secret)
        return (self.verifier.recall(credentials) or self.verifier.verify(credentials)) is not None


def token(token_id: str, *secrets: str, **changes: Any) -> Token:
    made = Token(
        token_id,
        "w-1",
        "acme",
        "name",
        ("read",),
        NOW,
        "ada@host",
        tuple(Secret(CHEAP.hash(secret)) for secret in secrets),
    )
    return Token(**{**made.__dict__, **changes})


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_the_secret_is_taken_and_no_other(setting: Setting) -> None:
    """Not a part of it, not more than it, not one of another token."""
    setting.tokens["other"] = token("other", "theirs")
    assert setting.takes("right")
    for wrong in ("wrong", "righ", "right ", "RIGHT", "theirs", "right\x00"):
        assert not setting.takes(wrong)
        assert setting.takes("right")


def test_known_secret_costs_argon2_once(setting: Setting) -> None:
    """Later requests neither hash nor read, until what is known grows old."""
    assert setting.takes("right")
    done = len(setting.hasher.verified)
    readings = setting.readings
    for _ in range(1_000):
        assert setting.takes("right")
    assert (len(setting.hasher.verified), setting.readings) == (done, readings)
    setting.seconds += FRESH_SECONDS
    assert setting.takes("right")
    assert (len(setting.hasher.verified), setting.readings) == (done, readings + 1)
    setting.seconds += KNOWN_SECONDS
    assert setting.takes("right")
    assert len(setting.hasher.verified) == done + HASHES


def test_whatever_is_wrong_costs_the_same(setting: Setting) -> None:
    """An unknown id, a wrong secret, a revoked, expired or rotated token: as many verifications."""
    until = NOW + timedelta(hours=1)
    old, new = Secret(CHEAP.hash("old"), until), Secret(CHEAP.hash("new"))
    setting.tokens |= {
        "revoked": token("revoked", "s", revoked_at=NOW),
        "expired": token("expired", "s", expires_at=NOW),
        "rotated": token("rotated", "s", secrets=(Secret(CHEAP.hash("oldest"), until), old, new)),
    }
    for token_id in ("known", "nobody", "revoked", "expired", "rotated"):
        before = len(setting.hasher.verified), setting.readings
        assert not setting.takes("wrong", token_id)
        after = len(setting.hasher.verified), setting.readings
        assert (after[0] - before[0], after[1] - before[1]) == (HASHES, 1), token_id


def test_right_secret_does_not_end_verification_early(setting: Setting) -> None:
    """The newest secret costs as much as the one before."""
    until = NOW + timedelta(hours=1)
    secrets = (Secret(CHEAP.hash("old"), until), Secret(CHEAP.hash("new")))
    setting.tokens["known"] = token("known", "s", secrets=secrets)
    for secret in ("old", "new"):
        before = len(setting.hasher.verified)
        assert setting.takes(secret)
        assert len(setting.hasher.verified) - before == HASHES


def test_digests_are_compared_in_constant_time(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known secrets go through compare_digest, right or wrong."""
    compared: list[bool] = []
    compare = hmac.compare_digest

    def watching(a: bytes, b: bytes) -> bool:
        compared.append(compare(a, b))
        return compared[-1]

    monkeypatch.setattr(hmac, "compare_digest", watching)
    assert setting.takes("right")
    compared.clear()
    assert setting.takes("right")
    assert not setting.takes("wrong")
    assert compared[:2] == [True, False]


def test_revocation_takes_effect_within_seconds(setting: Setting) -> None:
    """For known secrets too, and for streams that are open."""
    held = setting.tokens["known"]
    assert setting.takes("right")
    setting.tokens["known"] = token("known", "right", revoked_at=NOW)
    setting.seconds += FRESH_SECONDS
    assert not setting.takes("right")
    assert not setting.verifier.stands(held)


def test_expiry_needs_no_reading(setting: Setting) -> None:
    """A token ends at its time, whatever is known of it."""
    setting.tokens["known"] = token("known", "right", expires_at=NOW + timedelta(seconds=1))
    assert setting.takes("right")
    setting.seconds = 1.0
    assert setting.verifier.recall(Credentials("known", "right")) is None
    assert not setting.takes("right")


def test_rotation_overlaps(setting: Setting) -> None:
    """Both secrets are taken for a while, then the new one alone."""
    until = NOW + timedelta(hours=1)
    secrets = (Secret(CHEAP.hash("right"), until), Secret(CHEAP.hash("new")))
    assert setting.takes("right")
    setting.tokens["known"] = token("known", "s", secrets=secrets)
    setting.seconds += FRESH_SECONDS
    assert setting.takes("new")
    assert setting.takes("right")
    setting.seconds = 3600.0
    assert setting.takes("new")
    assert not setting.takes("right")


def test_new_token_is_taken_at_once(setting: Setting) -> None:
    """Although the tokens were read a moment ago."""
    assert setting.takes("right")
    setting.tokens["late"] = token("late", "mine")
    assert setting.takes("mine", "late")


def test_damaged_hash_is_no_secret(setting: Setting) -> None:
    """It refuses, and does not fail."""
    setting.tokens["known"] = token("known", "s", secrets=(Secret("no hash"), Secret("")))
    assert not setting.takes("")
    assert not setting.takes("no hash")


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Basic YTpi", ("a", "b")),
        ("basic   YTpiOmM=", ("a", "b:c")),
        ("Basic YTo=", None),
        ("Basic OmI=", None),
        ("Basic YQ==", None),
        ("Basic", None),
        ("", None),
        (None, None),
        ("Digest YTpi", None),
        ("Basic " + "YTpi" * 1_000, None),
    ],
)
def test_credentials(header: str | None, found: tuple[str, str] | None) -> None:
    """HTTP Basic, and nothing else."""
    read = read_credentials(header)
    assert (read and (read.token_id, read.secret)) == found


def test_secret_is_not_shown() -> None:
    """Not in what a log or a traceback would print."""
    assert "hidden" not in repr(Credentials("id", "hidden"))
