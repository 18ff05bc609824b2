"""One request to ClickHouse's HTTP interface: statement, database, settings, parameters."""

from __future__ import annotations

import email
import email.policy
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from auditstream.embedded.statement_error import NOT_IMPLEMENTED, refused

# Parameters of the HTTP interface itself; every other one is a setting of the statement.
_NOT_SETTINGS = {
    "query", "database", "default_format", "user", "password", "quota_key", "role", "query_id",
    "stacktrace", "buffer_size", "wait_end_of_query", "session_id", "session_timeout",
    "session_check", "close_session", "client_protocol_version", "compress", "decompress",
}  # fmt: skip
_PARAMETER = "param_"


@dataclass(frozen=True)
class Request:
    """`parameters` are the values of `{name:Type}` in the statement, in ClickHouse's text form.

    `query` is what the address holds of the statement; the rest is the body. `waits`: the answer
    may begin only when the statement has ended.
    """

    query: bytes
    database: str
    format: str
    settings: Mapping[str, str]
    parameters: Mapping[str, str]
    query_id: str
    waits: bool

    @property
    def seconds(self) -> float | None:
        """The time limit of the request, None for none."""
        try:
            return float(self.settings.get("max_execution_time", 0)) or None
        except ValueError:
            return None


def read_request(target: str, headers: Message, form: Mapping[str, str]) -> Request:
    """Return the request for the path and query `target`, `form` being fields of its body.

    Raises StatementError when it asks for ClickHouse's own block compression.
    """
    pairs = parse_qsl(urlsplit(target).query, keep_blank_values=True)
    values = {**dict(pairs), **form}
    for name in ("compress", "decompress"):
        if values.get(name, "0") not in ("0", "false"):
            reason = f"{name} is not supported, use Content-Encoding instead"
            raise refused(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", reason)
    return Request(
        query=values.get("query", "").encode(),
        database=values.get("database") or headers.get("X-ClickHouse-Database") or "default",
        format=values.get("default_format") or headers.get("X-ClickHouse-Format") or "TabSeparated",
        settings={
            name: value
            for name, value in values.items()
            if name not in _NOT_SETTINGS and not name.startswith(_PARAMETER)
        },
        parameters={
            name.removeprefix(_PARAMETER): value
            for name, value in values.items()
            if name.startswith(_PARAMETER)
        },
        query_id=_query_id(values.get("query_id", "")),
        waits=values.get("wait_end_of_query", "0") not in ("0", "false"),
    )


def _query_id(given: str) -> str:
    """Return the given id, as far as a header can hold it, or a new one."""
    return given if given and given.isascii() and given.isprintable() else str(uuid.uuid4())


def read_form(content_type: str, body: bytes) -> dict[str, str]:
    """Return the text fields of a multipart/form-data body.

    Raises StatementError for a file in it, which would be a table sent along with the statement.
    """
    head = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n"
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    fields = {}
    for part in message.iter_parts():
        if part.get_filename() is not None:
            reason = "external tables are not supported, use a query parameter"
            raise refused(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", reason)
        name = part.get_param("name", header="content-disposition")
        fields[str(name)] = cast("bytes", part.get_payload(decode=True)).decode()
    return fields
