"""What a client shows of itself: HTTP Basic with a workspace token and its secret (RFC 7617)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final

MAX_HEADER: Final = 1_024


@dataclass(frozen=True)
class Credentials:
    """A token's id, and what is said to be its secret."""

    token_id: str
    secret: str = field(repr=False)


def read_credentials(authorization: str | None) -> Credentials | None:
    """Return what the header Authorization holds; None when it is not of this form."""
    if authorization is None or len(authorization) > MAX_HEADER:
        return None
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    token_id, colon, secret = text.partition(":")
    return Credentials(token_id, secret) if colon and token_id and secret else None
