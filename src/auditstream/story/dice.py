"""Chance that falls the same way for the same seed."""

from __future__ import annotations

from random import Random


def dice(*seed: object) -> Random:
    """Return a random generator that is fully determined by the seed; not for secrets."""
    return Random(" ".join(str(part) for part in seed))  # noqa: S311
