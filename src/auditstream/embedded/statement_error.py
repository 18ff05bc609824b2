"""A statement that failed, as ClickHouse's HTTP interface tells it: code, message, HTTP status."""

from __future__ import annotations

import re
from http import HTTPStatus

from auditstream.errors import AuditStreamError

UNEXPECTED_END_OF_FILE = 3
NOT_IMPLEMENTED = 48
SYNTAX_ERROR = 62
UNKNOWN_FORMAT = 73
UNKNOWN_SETTING = 115
INCORRECT_DATA = 117
TIMEOUT_EXCEEDED = 159
SOCKET_TIMEOUT = 209
QUERY_IS_TOO_LARGE = 229
ABORTED = 236
CANNOT_DECOMPRESS = 271
INTO_OUTFILE_NOT_ALLOWED = 358
ACCESS_DENIED = 497
STD_EXCEPTION = 1001

# From ClickHouse's src/Server/HTTP/exceptionCodeToHTTPStatus.cpp; any other code answers 500.
_BAD_REQUEST = {6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223}
_BAD_REQUEST |= {321, 376, 427, 441, 675, 676}
_NOT_FOUND = {46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511}
_STATUS = {
    **dict.fromkeys(_BAD_REQUEST, HTTPStatus.BAD_REQUEST),
    **dict.fromkeys(_NOT_FOUND, HTTPStatus.NOT_FOUND),
    NOT_IMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    76: HTTPStatus.SERVICE_UNAVAILABLE,
    TIMEOUT_EXCEEDED: HTTPStatus.REQUEST_TIMEOUT,
    SOCKET_TIMEOUT: HTTPStatus.SERVICE_UNAVAILABLE,
    QUERY_IS_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    439: HTTPStatus.SERVICE_UNAVAILABLE,
    ACCESS_DENIED: HTTPStatus.FORBIDDEN,
}
_CODE = re.compile(r"Code: (\d+)\. DB::Exception: ")


class StatementError(AuditStreamError):
    """A statement that was refused or failed.

    `code` is ClickHouse's error code, `status` the HTTP status the server answers with it; the
    message is in ClickHouse's words: `Code: 60. DB::Exception: … (UNKNOWN_TABLE)`.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = _STATUS.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)


def refused(code: int, name: str, reason: str) -> StatementError:
    """Return an error of the gateway itself under ClickHouse's `code` and its `name`."""
    return StatementError(code, f"Code: {code}. DB::Exception: {reason}. ({name})")


def failed(error: BaseException) -> StatementError:
    """Return the error that chDB, or anything below the gateway, raised as `error`."""
    text = str(error)
    found = _CODE.search(text)
    if found is None:
        reason = text or type(error).__name__
        return refused(STD_EXCEPTION, "STD_EXCEPTION", reason)
    return StatementError(int(found[1]), text[found.start() :])
