"""A directory of spools: each belongs to one process, and is adopted when that has died."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from auditstream.errors import ConfigurationError, PublishError
from auditstream.publish import spool_files
from auditstream.publish.disk_spool import DiskSpool, SpoolDamagedError
from auditstream.publish.spool import Destination

LOG = logging.getLogger("auditstream.publish")


def create_spool(directory: Path, destination: Destination, *, flush: bool) -> DiskSpool:
    """Make a spool for this process in `directory`, which is made too if need be.

    Raises:
        ConfigurationError: the directory cannot be made or written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path, lock = _new_path(directory)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            spool = DiskSpool(path, lock, destination, flush=flush)
        except BaseException:
            spool_files.release(lock)
            raise
        if flush:
            spool_files.sync_directory(directory)
    except (OSError, PublishError) as error:
        raise ConfigurationError(
            f"AUDITSTREAM_SPOOL_DIR is {directory}, which cannot be used: {error}; "
            "name a directory on a local disk that the service may write"
        ) from error
    return spool


def has_spools(directory: Path) -> bool:
    """Return whether there are spools in `directory`, of whatever process."""
    return bool(spool_files.find(directory))


def adopt_spools(directory: Path) -> Iterator[DiskSpool]:
    """Take over the spools of dead processes, oldest first.

    A damaged one is set aside with a warning in the log. Nothing is raised.
    """
    for path in spool_files.find(directory):
        try:
            lock = spool_files.try_lock(path)
            if lock is not None:
                spool = _open(path, lock)
                if spool is not None:
                    yield spool
        except (OSError, PublishError) as error:
            LOG.warning("the spool %s of an ended process waits: %s", path, error)


def _open(path: Path, lock: int) -> DiskSpool | None:
    if not path.exists() or path.stat().st_size == 0:
        spool_files.delete(path)
        spool_files.release(lock)
        return None
    try:
        return DiskSpool(path, lock)
    except SpoolDamagedError as error:
        aside = spool_files.set_aside(path, "damaged")
        spool_files.release(lock)
        LOG.warning("%s; it was renamed to %s and its events are not sent", error, aside)
        return None
    except PublishError:
        spool_files.release(lock)
        raise


def _new_path(directory: Path) -> tuple[Path, int]:
    while True:
        name = f"{time.time_ns() // 1000}-{os.getpid()}{spool_files.SUFFIX}"
        path = directory / name
        lock = None if path.exists() else spool_files.try_lock(path)
        if lock is not None:
            return path, lock
