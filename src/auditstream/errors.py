"""All errors the package raises on purpose.

AuditStreamError
├── ConfigurationError         a setting is missing or wrong; names the variable
├── ContractError              a schema or the catalogue is wrong; names file and place
├── InvalidEventError          an event does not meet the contract; lists every problem
├── PublishError
│   ├── SpoolFullError         the spool's bound is reached; the event was not accepted
│   └── ClosedError            the publisher is closed
├── ServiceUnavailableError    Kafka, ClickHouse or a registry cannot be reached
├── StoreError                 ClickHouse refused a statement
│   ├── MigrationError         a migration failed or does not match the one applied
│   ├── WatermarkMovedError    another writer owns the partition; abandon and re-assign
│   └── AbandonedError         given up as the caller asked; it may have landed or may land yet
├── RuleError                  a detection rule is wrong; names file and line
└── RefusedError               a request to the endpoint is refused, with the HTTP status
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class AuditStreamError(Exception):
    """Base of every error of this package."""


class ConfigurationError(AuditStreamError):
    """A setting is missing or wrong; the message names the variable and what it takes."""


class ContractError(AuditStreamError):
    """A schema or the catalogue is wrong; the message names the file and the place in it."""


@dataclass(frozen=True)
class Problem:
    """One reason why an event does not meet the contract.

    `reason` is a code of `auditstream.contract.reasons`, `field` the path of the offending field
    ("" when the whole event is meant), `message` what is wrong and what would be right.
    """

    reason: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class InvalidEventError(AuditStreamError):
    """An event does not meet the contract; `problems` lists everything that is wrong with it."""

    def __init__(self, action: str, problems: tuple[Problem, ...]) -> None:
        self.action = action
        self.problems = problems
        lines = "; ".join(str(problem) for problem in problems)
        super().__init__(f"event {action!r} was not accepted: {lines}")

    def __reduce__(self) -> tuple[type[InvalidEventError], tuple[str, tuple[Problem, ...]]]:
        return type(self), (self.action, self.problems)


class PublishError(AuditStreamError):
    """An event could not be accepted for publishing."""


class SpoolFullError(PublishError):
    """The spool has reached its bound; the event was not accepted."""


class ClosedError(PublishError):
    """The publisher was closed before the call."""


class ServiceUnavailableError(AuditStreamError):
    """Kafka, ClickHouse or a schema registry cannot be reached; the message names its address."""


class StoreError(AuditStreamError):
    """ClickHouse refused a statement; the message carries its own words and code."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class MigrationError(StoreError):
    """A migration failed, or differs from the one that was applied under its number."""


class WatermarkMovedError(StoreError):
    """Another writer has appended to the partition: abandon what is in flight and start again."""


class AbandonedError(StoreError):
    """Given up as the caller asked, before it was decided: it may have landed, or may land yet."""


class RuleError(AuditStreamError):
    """A detection rule is wrong; the message begins with file and line where they are known."""

    def __init__(self, message: str, file: str = "", line: int = 1) -> None:
        self.message = message
        self.file = file
        self.line = line
        super().__init__(f"{file}:{line}: {message}" if file else message)

    def __reduce__(self) -> tuple[type[RuleError], tuple[str, str, int]]:
        return type(self), (self.message, self.file, self.line)


class RefusedError(AuditStreamError):
    """A request to the endpoint is refused: HTTP `status`, a reason for the client, headers."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        super().__init__(detail)
