"""Addresses of pages."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode


def address(path: str, parameters: Iterable[tuple[str, str]]) -> str:
    """Return a path with parameters."""
    query = urlencode(list(parameters))
    return f"{path}?{query}" if query else path
