"""chDB, the ClickHouse engine within this process."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import chdb

from auditstream.embedded.statement_error import (
    UNKNOWN_FORMAT,
    UNKNOWN_SETTING,
    failed,
    refused,
)

_MIB = 1 << 20
_GIB = 1 << 30
_DEFAULT_DATABASE = "default"
_SETTING_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)

# Formats whose blocks, encoded one by one and joined, are what all of them encoded at once are.
STREAMED = {"native", "tabseparated", "tsv", "csv", "rowbinary", "jsoneachrow"}


@dataclass(frozen=True)
class Job:
    """One statement to run, with what surrounds it.

    `format` encodes the rows, unless the statement names a format itself.
    """

    text: bytes
    format: str
    database: str
    settings: Mapping[str, str]
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """The encoded rows of a statement, and the counts of the header X-ClickHouse-Summary."""

    rows: bytes
    summary: Mapping[str, str]


class Engine:
    """The engine on the directory `name` of the current directory, which must not change then.

    Safe to use from many threads at once; a process can have one directory open. Its memory is
    limited to a quarter of the machine's, within 1 GiB to 4 GiB. Raises StatementError when the
    directory cannot be opened. Call `close` at the end.
    """

    def __init__(self, name: str) -> None:
        options = "&".join(f"{key}={value}" for key, value in _options().items())
        self._address = f"{name}?{options}"
        self._root = self._connect()
        rows = self._rows("SELECT lower(name), content_type FROM system.formats")
        self.formats: Mapping[str, str] = {row[0]: row[1] for row in rows}
        self.version, self.timezone = self._rows("SELECT version(), timezone()")[0]

    def execute(self, job: Job) -> Outcome:
        """Run one statement to its end; blocks as long as that takes.

        Settings, parameters and database hold for this statement alone. Raises StatementError.
        """
        with self._session(job) as session, _clickhouse_errors():
            result = session.query(job.text, job.format, params=dict(job.parameters))
            return Outcome(result.bytes(), _summary(result))

    @contextmanager
    def stream(self, job: Job) -> Iterator[Iterator[bytes]]:
        """Run one SELECT as its rows are taken; yield their encoded blocks, good in the block.

        The format must be one of STREAMED. Raises StatementError, the iterator does too; the
        statement is cancelled when the block is left before its end.
        """
        with self._session(job) as session:
            with _clickhouse_errors():
                blocks = session.send_query(job.text, job.format, params=dict(job.parameters))
                # Fetched here, so that an error of the statement is not met among the rows.
                first = blocks.fetch()
            yield _chunks(first, blocks)

    def cancel(self) -> None:
        """Ask every running statement to end, with an error, as soon as it can."""
        with _clickhouse_errors():
            self._root.query("KILL QUERY WHERE query_id != queryID() ASYNC")

    def close(self) -> None:
        """Close the engine. No statement may be running."""
        self._root.close()

    @contextmanager
    def _session(self, job: Job) -> Iterator[Any]:
        if job.format.lower() not in self.formats:
            raise refused(UNKNOWN_FORMAT, "UNKNOWN_FORMAT", f"Unknown format {job.format}")
        session = self._connect()
        try:
            with _clickhouse_errors():
                if job.database != _DEFAULT_DATABASE:
                    session.query(f"USE {_quoted(job.database, '`')}")
                if job.settings:
                    session.query(_set(job.settings))
            yield session
        finally:
            session.close()

    def _connect(self) -> Any:
        connect: Any = chdb.connect
        with _clickhouse_errors():
            return connect(self._address)

    def _rows(self, statement: str) -> list[list[str]]:
        text = self._root.query(statement, "TabSeparatedRaw").bytes().decode()
        return [line.split("\t") for line in text.splitlines()]


def _chunks(block: Any, blocks: Any) -> Iterator[bytes]:
    while block is not None:
        yield block.bytes()
        with _clickhouse_errors():
            block = blocks.fetch()


def _set(settings: Mapping[str, str]) -> str:
    for name in settings:
        if not _SETTING_NAME.fullmatch(name):
            raise refused(UNKNOWN_SETTING, "UNKNOWN_SETTING", f"Unknown setting '{name}'")
    pairs = [name + " = " + _quoted(value, "'") for name, value in settings.items()]
    return "SET " + ", ".join(pairs)


def _quoted(text: str, quote: str) -> str:
    return quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote


def _summary(result: Any) -> dict[str, str]:
    return {
        "read_rows": str(result.storage_rows_read()),
        "read_bytes": str(result.storage_bytes_read()),
        "written_rows": str(result.rows_written()),
        "written_bytes": str(result.bytes_written()),
        "result_rows": str(result.rows_read()),
        "result_bytes": str(result.bytes_read()),
        "elapsed_ns": str(round(result.elapsed() * 1_000_000_000)),
    }


def _options() -> dict[str, int]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = min(max(memory // 4, _GIB), 4 * _GIB)
    return {
        "max_server_memory_usage": limit,
        "max_memory_usage": limit * 3 // 4,
        "max_bytes_before_external_group_by": limit // 4,
        "max_bytes_before_external_sort": limit // 4,
        "mark_cache_size": 64 * _MIB,
        "primary_index_cache_size": 64 * _MIB,
        "index_mark_cache_size": 16 * _MIB,
        # As a server has it, unlike the command line tool that chDB is made from.
        "implicit_select": 0,
        "async_insert": 0,
    }


@contextmanager
def _clickhouse_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise failed(error) from error
