"""Arrow streams whose bytes depend on their rows alone, not on how a server cut them."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader, BytesIO, RawIOBase
from typing import Any, Final

import pyarrow as pa

ROWS: Final = 16_384
_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="lz4")


def even_batches(pieces: Iterator[bytes], rows: int = ROWS) -> Iterator[bytes]:
    """Yield an Arrow stream of the rows of another, in batches of `rows`; the last has the rest.

    Both are in pieces. Holds some batches in memory, however long the stream. Raises what `pieces`
    raises.
    """
    reader = pa.ipc.open_stream(BufferedReader(_Pieces(pieces)))
    out = BytesIO()
    writer = pa.ipc.new_stream(out, reader.schema, options=_OPTIONS)
    waiting: list[Any] = []
    held = 0
    for batch in reader:
        waiting.append(batch)
        held += batch.num_rows
        while held >= rows:
            table = pa.Table.from_batches(waiting)
            writer.write_batch(_copied(table.slice(0, rows)))
            yield _taken(out)
            waiting = table.slice(rows).to_batches()
            held -= rows
    if held:
        writer.write_batch(_copied(pa.Table.from_batches(waiting)))
    writer.close()
    yield _taken(out)


def _copied(table: Any) -> Any:
    """Return the rows as one batch, in buffers that hold nothing but them."""
    # A single chunk would be left where it is, in the middle of others' rows.
    half = table.num_rows // 2
    halves = pa.concat_tables([table.slice(0, half), table.slice(half)])
    (batch,) = halves.combine_chunks().to_batches()
    return batch


def _taken(out: BytesIO) -> bytes:
    written = out.getvalue()
    out.seek(0)
    out.truncate()
    return written


class _Pieces(RawIOBase):
    """Pieces as a file to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
