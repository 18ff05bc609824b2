"""Bytes as a person reads them."""

from __future__ import annotations

from typing import Final

BYTES_OF_A_LINE: Final = 16


def hex_dump(value: bytes) -> str:
    """Return bytes as lines of 16, with their place, in hexadecimal and as ASCII text."""
    lines = []
    for start in range(0, len(value), BYTES_OF_A_LINE):
        part = value[start : start + BYTES_OF_A_LINE]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:06x}  {part.hex(' '):<{BYTES_OF_A_LINE * 3}} {text}")
    return "\n".join(lines)
