"""A ClickHouse that is there for one command and thrown away with all it holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from auditstream.store.connection import Store

StreamOnlyOption: TypeAlias = Annotated[
    bool,
    typer.Option("--stream-only", help="Without ClickHouse: no rules over several events."),
]


@contextmanager
def scratch_store(*, wanted: bool = True) -> Iterator[Store | None]:
    """Yield an empty store in an embedded ClickHouse that is there for nothing else, if wanted."""
    if not wanted:
        yield None
        return
    from auditstream.embedded import ClickHouse
    from auditstream.settings import load_settings
    from auditstream.store.connection import connect
    from auditstream.store.migrate import migrate

    with TemporaryDirectory(prefix="auditstream-rules-") as name:
        directory = Path(name)
        with ClickHouse(directory / "data", log_path=directory / "log") as server:
            # Not the password of the server that the settings name.
            settings = load_settings().model_copy(update={"clickhouse_url": server.url})
            with closing(connect(settings)) as store:
                migrate(store, 0)
                yield store
