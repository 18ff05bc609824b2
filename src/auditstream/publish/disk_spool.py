"""A spool in an SQLite file: survives the end of its process, in whatever way."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from auditstream.errors import PublishError, SpoolFullError
from auditstream.publish import spool_files
from auditstream.publish.record import OVERHEAD_BYTES, Accepted
from auditstream.publish.spool import Destination

FORMAT: Final = 1
"""Number of the file format, kept in SQLite's user_version."""

_PAGE_BYTES: Final = 2_048  # four events or so: each that is added writes a page
_WAL_BYTES: Final = 16 * 1024 * 1024
_MAX_WAL_BYTES: Final = 64 * 1024 * 1024
_FREE_PAGES: Final = 8_192
_PAGES_AT_ONCE: Final = 256
_FULL: Final = 13
_DAMAGED: Final = frozenset({11, 26})

_EVENT: Final = (
    "position INTEGER PRIMARY KEY, event_id TEXT, action TEXT, occurred_at TEXT, "
    "workspace_id TEXT, subject TEXT, datum BLOB"
)
_TABLES: Final = (
    "CREATE TABLE destination (topic TEXT, service TEXT, schema TEXT)",
    "CREATE TABLE progress (handed INTEGER)",
    "INSERT INTO progress VALUES (0)",
    f"CREATE TABLE event ({_EVENT})",
    f"CREATE TABLE refused ({_EVENT}, reason TEXT)",
    f"PRAGMA user_version = {FORMAT}",
)
_INSERT: Final = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)"
_READ: Final = "SELECT * FROM event WHERE position > ? ORDER BY position LIMIT ?"
_REFUSE: Final = "INSERT INTO refused SELECT *, ? FROM event WHERE position = ?"
_DELETE: Final = "DELETE FROM event WHERE position BETWEEN ? AND ?"
_MEASURE: Final = (
    "SELECT count(*), coalesce(sum(? + length(action) + length(workspace_id) + length(subject)"
    " + length(datum)), 0) FROM event"
)


class SpoolDamagedError(PublishError):
    """The file of a spool, `path`, is not, or no longer, what it should be."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"the spool {path} is damaged: {problem}")


class DiskSpool:
    """A spool in the SQLite file `path`, which belongs to this process by the lock it holds.

    With `flush`, an event is on the disk when `put` returns; without, the operating system has it.
    All methods raise SpoolDamagedError when the file is damaged, PublishError when the disk does
    not work.
    """

    def __init__(
        self,
        path: Path,
        lock: int,
        destination: Destination | None = None,
        *,
        flush: bool = False,
    ) -> None:
        """Make a spool, or open the one that is there if no destination is given."""
        self.path = path
        self._owner = lock
        self._logged = 0  # bytes in the write-ahead log, about
        self._tidying = threading.Lock()
        self._lock = threading.Lock()
        with ExitStack() as undo, self._errors():
            self._events = undo.enter_context(closing(_connect(path, flush=flush)))
            self._upkeep = undo.enter_context(closing(_connect(path, flush=flush)))
            if destination is not None:
                self._make(destination)
            self.destination, self.handed = self._head()
            self.count, self.size = self._events.execute(_MEASURE, (OVERHEAD_BYTES,)).fetchone()
            undo.pop_all()

    @property
    def name(self) -> str:
        """The path of the file."""
        return str(self.path)

    def put(self, event: Accepted) -> None:
        """Add an event. Raises SpoolFullError when the disk is full."""
        row = (
            event.position,
            event.event_id,
            event.action,
            event.occurred_at,
            event.workspace_id,
            event.subject,
            event.datum,
        )
        with self._lock, self._errors():
            self._events.execute(_INSERT, row)
            self.count += 1
            self.size += event.size
            self._logged += event.size + 2 * _PAGE_BYTES

    def read(self, after: int, limit: int, max_bytes: int) -> list[Accepted]:
        """Return the events that follow position `after`."""
        events: list[Accepted] = []
        with self._lock, self._errors():
            rows = self._events.execute(_READ, (after, limit))
            for row in rows:
                event = Accepted(*row)
                max_bytes -= event.size
                if max_bytes < 0 and events:
                    break
                events.append(event)
            rows.close()
        return events

    def mark_handed(self, position: int) -> None:
        """Note that events up to `position` may from now on be in the topic."""
        if position <= self.handed:
            return
        with self._lock, self._errors():
            self._events.execute("UPDATE progress SET handed = ?", (position,))
            self._logged += 2 * _PAGE_BYTES
        self.handed = position

    def remove(self, sizes: Mapping[int, int]) -> None:
        """Forget acknowledged events, all or none; `put` waits meanwhile."""
        with self._lock, self._errors():
            with _transaction(self._events):
                self._events.executemany(_DELETE, _runs(sorted(sizes)))
            self.count -= len(sizes)
            self.size -= sum(sizes.values())
            self._logged += (len(sizes) + 2) * _PAGE_BYTES

    def refuse(self, position: int, size: int, reason: str) -> None:
        """Move an event to the table of those that the broker will never take."""
        with self._lock, self._errors():
            with _transaction(self._events):
                self._events.execute(_REFUSE, (reason, position))
                self._events.execute(_DELETE, (position, position))
            self.count -= 1
            self.size -= size

    def tidy(self) -> None:
        """Bring the write-ahead log into the database and shrink it, where that is worth while.

        The bulk, and the flushing that it needs, is done while events go on coming in.
        """
        with self._tidying, self._errors():
            free = self._upkeep.execute("PRAGMA freelist_count").fetchone()[0]
            if free > _FREE_PAGES:
                with self._lock:
                    self._events.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")
                    self._logged += _PAGES_AT_ONCE * _PAGE_BYTES
            if self._logged > _WAL_BYTES:
                self._upkeep.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                # Once it is all in the database, the next event begins the log anew.
                large = Path(f"{self.path}-wal").stat().st_size > _MAX_WAL_BYTES
                mode = "TRUNCATE" if large else "PASSIVE"
                with self._lock:
                    self._upkeep.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
                    self._logged = 0

    def close(self) -> None:
        """Close the file and delete it if it is empty; leave it to another process otherwise.

        A file with events that the broker would not take is renamed: it is kept, not adopted.
        """
        with self._tidying, self._lock, self._errors():
            waiting = self._events.execute("SELECT count(*) FROM event").fetchone()[0]
            refused = self._events.execute("SELECT count(*) FROM refused").fetchone()[0]
            self._upkeep.close()
            self._events.close()
            if not waiting and refused:
                spool_files.set_aside(self.path, "refused")
            elif not waiting:
                spool_files.delete(self.path)
            spool_files.release(self._owner)

    def set_aside(self) -> Path:
        """Close the file and rename it, since it is damaged; return its new path."""
        with self._tidying, self._lock, self._errors():
            self._upkeep.close()
            self._events.close()
            aside = spool_files.set_aside(self.path, "damaged")
            spool_files.release(self._owner)
            return aside

    def hold(self) -> None:
        """Keep all other threads out of the file until `let_go`."""
        self._tidying.acquire()
        self._lock.acquire()

    def let_go(self) -> None:
        """End a `hold`."""
        self._lock.release()
        self._tidying.release()

    def disown(self) -> None:
        """Leave the spool to the parent: this process is a fork of its owner."""
        spool_files.release(self._owner)

    def _make(self, destination: Destination) -> None:
        row = (destination.topic, destination.service, destination.schema)
        with _transaction(self._events):
            for statement in _TABLES:
                self._events.execute(statement)
            self._events.execute("INSERT INTO destination VALUES (?, ?, ?)", row)

    def _head(self) -> tuple[Destination, int]:
        if not self._events.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            self._make(Destination("", "", ""))  # its process ended before it was made
        number = self._events.execute("PRAGMA user_version").fetchone()[0]
        if number != FORMAT:
            raise PublishError(f"the spool {self.path} has format {number}, not {FORMAT}")
        destination = Destination(*self._events.execute("SELECT * FROM destination").fetchone())
        return destination, self._events.execute("SELECT handed FROM progress").fetchone()[0]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code == _FULL:
                raise SpoolFullError(f"the disk of the spool {self.path} is full") from error
            if code in _DAMAGED:
                raise SpoolDamagedError(self.path, str(error)) from error
            raise PublishError(f"the spool {self.path} does not work: {error}") from error


def _connect(path: Path, *, flush: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if flush else 'NORMAL'}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _runs(ordered: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for number in ordered:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    return runs
