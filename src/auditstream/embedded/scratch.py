"""Files that live as long as one request: the data of an INSERT, the rows of a SELECT.

They are beside the data: the page cache usually holds such a file for its short life, and what
does not fit into memory has room there. All paths are relative to the current directory, which is
the directory of the data.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DIRECTORY = Path("scratch")


def sweep() -> None:
    """Make the directory of these files, and empty it of what a killed process left."""
    _DIRECTORY.mkdir(exist_ok=True)
    for left in _DIRECTORY.iterdir():
        left.unlink()


@contextmanager
def scratch_path() -> Iterator[Path]:
    """Yield the path, of plain characters only, of a file to make; it is deleted at the end."""
    path = _DIRECTORY / secrets.token_hex(8)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
