"""The way to ClickHouse: statements over its HTTP interface, its errors as ours."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from io import BytesIO, RawIOBase
from types import TracebackType
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

import clickhouse_connect
import polars as pl
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from auditstream.errors import ConfigurationError, ServiceUnavailableError, StoreError
from auditstream.settings import Settings

T = TypeVar("T")
SettingValue = str | int | float

CONNECT_SECONDS: Final = 5
ANSWER_MARGIN_SECONDS: Final = 15
"""How much longer than the bound of an append an answer is waited for."""

PIECE_BYTES: Final = 1 << 20

_PORTS: Final = {"http": 8123, "https": 8443}
_WORDS: Final = "server response: "


class Store:
    """ClickHouse at one URL, for any number of threads at once.

    Nothing is sent before the first statement, so that a Store can be made while the server is
    away. Every method blocks until the server has answered, at most `append_seconds` and 15 s
    between two signs of life, and raises

    - ServiceUnavailableError when it did not: nothing is known of what became of the statement;
    - StoreError when the server refused the statement, with its code.

    No statement that changes anything is ever sent twice.
    """

    def __init__(self, settings: Settings) -> None:
        self.database = settings.clickhouse_database
        self.append_seconds = settings.append_timeout_seconds
        self.url = _without_password(settings.clickhouse_url)
        self._settings = settings
        self._client: Client | None = None
        self._connecting = threading.Lock()

    def command(self, sql: str, settings: Mapping[str, SettingValue] | None = None) -> None:
        """Run a statement that returns no rows."""
        self._ask(lambda client: client.command(sql, settings=dict(settings or {})))

    def insert_arrow(
        self,
        sql: str,
        body: bytes | Sequence[memoryview],
        settings: Mapping[str, SettingValue] | None = None,
    ) -> None:
        """Run an INSERT that ends in FORMAT ArrowStream; `body` is the stream, or its pieces."""
        # In pieces: what the client cannot rewind it does not send again, and `command` would
        # decode all of the body in search of a SELECT.
        self._ask(
            lambda client: client.raw_insert(
                "",
                insert_block=_pieces(sql, [memoryview(body)] if isinstance(body, bytes) else body),
                settings=dict(settings or {}),
            )
        )

    def query_frame(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        settings: Mapping[str, SettingValue] | None = None,
    ) -> pl.DataFrame:
        """Return the rows of a query without FORMAT; `parameters` fill its {name:Type}."""
        body = self._ask(
            lambda client: client.raw_query(
                sql, dict(parameters or {}), dict(settings or {}), fmt="ArrowStream"
            )
        )
        try:
            return pl.read_ipc_stream(BytesIO(body))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            # An error in the middle of an answer, or another server than ClickHouse.
            end = body[-300:].decode(errors="replace")
            raise ServiceUnavailableError(
                f"ClickHouse at {self.url} did not answer in full: {error}; the answer ends {end!r}"
            ) from error

    def query_raw(
        self,
        sql: str,
        output_format: str,
        settings: Mapping[str, SettingValue] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the answer to a statement in a format of ClickHouse, all of it in memory.

        A FORMAT clause of the statement goes before. Names without a database are looked up in
        the one of the settings. `parameters` fill its {name:Type}.
        """
        headers = {"X-ClickHouse-Format": output_format, "X-ClickHouse-Database": self.database}
        return self._ask(
            lambda client: client.raw_query(
                sql,
                dict(parameters or {}),
                settings=dict(settings or {}),
                transport_settings=headers,
            )
        )

    def stream_raw(
        self,
        sql: str,
        output_format: str,
        settings: Mapping[str, SettingValue] | None = None,
    ) -> Generator[bytes]:
        """Yield the answer to a query in a format of ClickHouse, piece by piece as it comes.

        Nothing is sent before the first piece is asked for. Close the generator to end the query
        early.
        """
        source = cast(
            "RawIOBase",
            self._ask(
                lambda client: client.raw_stream(
                    sql, settings=dict(settings or {}), fmt=output_format
                )
            ),
        )
        try:
            while piece := source.read(PIECE_BYTES):
                yield piece
        except HTTPError as error:
            raise ServiceUnavailableError(
                f"ClickHouse at {self.url} did not answer in full: {error}"
            ) from error
        finally:
            source.close()

    def close(self) -> None:
        """Close the connections; a later statement opens new ones."""
        with self._connecting:
            if self._client is not None:
                self._client.close()
                self._client = None

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, call: Callable[[Client], T]) -> T:
        try:
            return call(self._connected())
        except ClickHouseError as error:
            raise self._told(error) from error

    def _connected(self) -> Client:
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Client:
        address = urlsplit(self._settings.clickhouse_url)
        client: Client = clickhouse_connect.get_client(
            interface=address.scheme,
            host=address.hostname or "",
            port=address.port or _PORTS[address.scheme],
            proxy_path=address.path,
            username=self._settings.clickhouse_user,
            password=self._settings.clickhouse_password.get_secret_value(),
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=int(self.append_seconds) + ANSWER_MARGIN_SECONDS,
            autogenerate_session_id=False,
            show_clickhouse_errors="scrub",
            compress=False,
            dedicated_pool=True,
        )
        return client

    def _told(self, error: ClickHouseError) -> ServiceUnavailableError | StoreError:
        code = getattr(error, "code", None)
        text = str(error)
        if code is None:
            reason = _root(error)
            return ServiceUnavailableError(f"ClickHouse at {self.url} does not answer: {reason}")
        return StoreError(text.partition(_WORDS)[2] or text, code)


def connect(settings: Settings) -> Store:
    """Return ClickHouse as the settings name it, without asking it anything.

    Raises:
        ConfigurationError: AUDITSTREAM_CLICKHOUSE_URL is not an http or https address.
    """
    # What the client warns of is raised as an error as well.
    logging.getLogger("clickhouse_connect").setLevel(logging.ERROR)
    return Store(settings)


def _pieces(sql: str, body: Sequence[memoryview]) -> Generator[bytes]:
    yield f"{sql}\n".encode()
    for part in body:
        for start in range(0, len(part), PIECE_BYTES):
            yield bytes(part[start : start + PIECE_BYTES])


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _without_password(url: str) -> str:
    address = urlsplit(url)
    if address.scheme not in _PORTS or not address.hostname:
        raise ConfigurationError(
            "AUDITSTREAM_CLICKHOUSE_URL: http://host:port or https://host:port is wanted"
        )
    return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()
