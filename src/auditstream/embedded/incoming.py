"""Taking one statement, and the data an INSERT brings along, from a request."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from auditstream.embedded.body import Body
from auditstream.embedded.scratch import scratch_path
from auditstream.embedded.statement import Statement, read_statement
from auditstream.embedded.statement_error import SYNTAX_ERROR, refused

_READ_BYTES = 1 << 20


@contextmanager
def take_statement(query: bytes, body: Body, formats: Collection[str]) -> Iterator[Statement]:
    """Read the whole body; yield the statement as the engine is to run it.

    The statement is `query` and, behind it or instead of it, the body. INSERT data is in a file
    for as long as the block lasts. Blocks until the body has arrived. Raises StatementError for no
    statement, a second one, and what `Body.read_text` raises.
    """
    text = query + b"\n" if query else body.read(_READ_BYTES)
    statement = read_statement(text, formats)
    if statement.data is None and (rest := body.read_text()):
        text += rest
        statement = read_statement(text, formats)
    if not text.strip():
        raise refused(SYNTAX_ERROR, "SYNTAX_ERROR", "Empty query")
    if statement.data is None:
        yield statement
        return
    with scratch_path() as path:
        with path.open("xb") as file:
            file.write(text[statement.data.start :])
            while data := body.read(_READ_BYTES):
                file.write(data)
        yield statement.reading(path)
