"""The files of a spool, and the lock that says whose they are."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

SUFFIX: Final = ".spool"

_COMPANIONS: Final = ("-wal", "-shm")
_LOCK: Final = ".lock"


def find(directory: Path) -> list[Path]:
    """Return the spools in a directory, oldest first, and those of which only the lock is left."""
    locks = {path.with_suffix("") for path in directory.glob(f"*{SUFFIX}{_LOCK}")}
    return sorted(locks | set(directory.glob(f"*{SUFFIX}")))


def try_lock(path: Path) -> int | None:
    """Take the lock of the spool `path`; return its file descriptor, None if another has it.

    The lock is gone when the process is, however that ends.
    """
    lock_path = _lock_path(path)
    descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The former owner may have deleted the lock file after it was opened here.
        if os.fstat(descriptor).st_ino == lock_path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def release(descriptor: int) -> None:
    """Give a lock up."""
    os.close(descriptor)


def delete(path: Path) -> None:
    """Delete a spool that this process has locked; its lock file last."""
    for companion in _COMPANIONS:
        Path(f"{path}{companion}").unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    _lock_path(path).unlink(missing_ok=True)


def set_aside(path: Path, mark: str) -> Path:
    """Rename a spool that this process has locked, so that no process adopts it again.

    Return its new path, which ends with `mark`.
    """
    aside = path.with_name(f"{path.name}.{mark}")
    for companion in _COMPANIONS:
        log = Path(f"{path}{companion}")
        if log.exists():
            log.rename(f"{aside}{companion}")
    if path.exists():
        path.rename(aside)
    _lock_path(path).unlink(missing_ok=True)
    return aside


def sync_directory(directory: Path) -> None:
    """Make the names of new files in a directory survive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock_path(path: Path) -> Path:
    return Path(f"{path}{_LOCK}")
