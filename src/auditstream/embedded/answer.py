"""From a statement to the bytes that answer it, of any number, in little memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from auditstream.embedded.engine import STREAMED, Engine, Job
from auditstream.embedded.scratch import scratch_path
from auditstream.embedded.statement import Statement

_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Answer:
    """The bytes in chunks. `size` is their number, None while the statement still runs.

    `summary`: the counts of the header X-ClickHouse-Summary, empty while the statement runs.
    """

    chunks: Iterator[bytes]
    size: int | None
    summary: Mapping[str, str]


@contextmanager
def answer(engine: Engine, statement: Statement, job: Job, *, whole: bool) -> Iterator[Answer]:
    """Run the statement; yield its answer, good within the block.

    Rows come while the statement runs where their format allows it, unless the `whole` answer must
    be there first; then, and in other formats, they go through a file. What a statement other than
    a SELECT returns is held in memory. Raises StatementError, from the chunks too.
    """
    if statement.streams and not whole and job.format.lower() in STREAMED:
        with engine.stream(job) as chunks:
            yield Answer(chunks, None, {})
        return
    with scratch_path() as path:
        writing = statement.writing(path)
        outcome = engine.execute(job if writing is None else replace(job, text=writing.text))
        if writing is None:
            yield Answer(iter([outcome.rows]), len(outcome.rows), outcome.summary)
            return
        with path.open("rb") as file:
            chunks = iter(partial(file.read, _READ_BYTES), b"")
            yield Answer(chunks, path.stat().st_size, outcome.summary)
