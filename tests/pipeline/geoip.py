"""A MaxMind-format database that says the same of every address.

Format: https://maxmind.github.io/MaxMind-DB/.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_database(file: Path, entry: Any, ip_version: int = 6) -> Path:
    """Write a database whose one node leads every address to `entry`."""
    # One node of two 24-bit records; a record points past the 16 zero bytes behind the tree.
    node = (1 + 16).to_bytes(3, "big") * 2
    metadata = {
        "node_count": 1,
        "record_size": 24,
        "ip_version": ip_version,
        "database_type": "Test",
        "languages": [],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1,
        "description": {},
    }
    data = node + bytes(16) + _encode(entry) + b"\xab\xcd\xefMaxMind.com" + _encode(metadata)
    file.write_bytes(data)
    return file


def _encode(value: Any, name: str = "") -> bytes:
    if isinstance(value, str):
        text = value.encode()
        return _control(2, len(text)) + text
    if isinstance(value, int):
        kind, size = {"node_count": (6, 4), "build_epoch": (9, 8)}.get(name, (5, 2))
        return _control(kind, size) + value.to_bytes(size, "big")
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(_encode, value))
    items = b"".join(_encode(key) + _encode(item, key) for key, item in value.items())
    return _control(7, len(value)) + items


def _control(kind: int, size: int) -> bytes:
    more = bytes([size - 29]) if size >= 29 else b""
    if kind > 7:
        return bytes([min(size, 29), kind - 7]) + more
    return bytes([kind << 5 | min(size, 29)]) + more
