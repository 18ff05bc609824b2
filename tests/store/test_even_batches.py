from __future__ import annotations

import io
from collections.abc import Iterator

import pyarrow as pa
import pytest

from auditstream.errors import ServiceUnavailableError
from auditstream.store.even_batches import even_batches
from tests.store.rows import event_rows

TABLE = event_rows(1_000, workspaces=1).to_arrow().combine_chunks()


def stream(table: pa.Table, sizes: list[int], piece: int = 50_000) -> list[bytes]:
    """Return a stream of the table in batches of the sizes in turn, in pieces."""
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        start = number = 0
        while start < table.num_rows:
            size = sizes[number % len(sizes)]
            for batch in table.slice(start, size).to_batches():
                writer.write_batch(batch)
            start, number = start + size, number + 1
    written = out.getvalue()
    return [written[at : at + piece] for at in range(0, len(written), piece)]


@pytest.mark.parametrize("sizes", [[1_000], [100], [1, 7, 250, 3], [999, 1]])
def test_bytes_depend_on_the_rows_alone(sizes: list[int]) -> None:
    """However they were cut before, they come in even batches and the same bytes."""
    told = b"".join(even_batches(iter(stream(TABLE, sizes)), rows=300))
    assert told == b"".join(even_batches(iter(stream(TABLE, [64], piece=999)), rows=300))
    with pa.ipc.open_stream(told) as reader:
        batches = list(reader)
    assert [batch.num_rows for batch in batches] == [300, 300, 300, 100]
    assert pa.Table.from_batches(batches).equals(TABLE)


@pytest.mark.parametrize("rows", [0, 1, 300])
def test_streams_that_are_short_or_end_evenly(rows: int) -> None:
    """None, one, and just one batch."""
    table = TABLE.slice(0, rows)
    told = b"".join(even_batches(iter(stream(table, [300])), rows=300))
    assert pa.ipc.open_stream(told).read_all().equals(table)


def test_broken_stream_is_told() -> None:
    """An error of the source is raised as it is."""

    def broken() -> Iterator[bytes]:
        yield from stream(TABLE, [100])[:2]
        raise ServiceUnavailableError("gone")

    with pytest.raises(ServiceUnavailableError, match="gone"):
        list(even_batches(broken(), rows=100))
