"""Settings of a producer: arguments first, then the environment, then defaults."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypedDict, Unpack, get_args

from auditstream.contract.limits import MAX_IDENTIFIER
from auditstream.errors import ConfigurationError

Durability: TypeAlias = Literal["memory", "disk", "power"]
SecurityProtocol: TypeAlias = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism: TypeAlias = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True)
class PublishSettings:
    """Settings of an AuditLog.

    `durability` says what an event survives once `emit` has returned, and before the broker has
    acknowledged it:
      "memory"  nothing but a broker that is away: it is lost with the process, unless that closes
                its AuditLog in time;
      "disk"    the end of the process, SIGKILL included: it is in the spool, on disk. What the
                operating system has not written yet is lost with the machine's power;
      "power"   that too, as far as the disk keeps its word: the spool is flushed (fsync) before
                `emit` returns, which then takes as long as the disk does.

    `spool_dir` is made if need be; processes on one machine may share it. `max_spool_bytes` and
    `max_spool_events` bound what one process keeps back, in memory or on disk; the files of a
    spool can be about a fifth and 64 MiB larger than its events. `close_seconds` bounds how long
    the process waits for the broker when it exits.
    """

    service: str
    service_version: str | None = None
    service_instance: str | None = None
    kafka_brokers: str = "127.0.0.1:9092"
    kafka_security_protocol: SecurityProtocol = "PLAINTEXT"
    kafka_sasl_mechanism: SaslMechanism = "SCRAM-SHA-512"
    kafka_username: str | None = None
    kafka_password: str | None = field(default=None, repr=False)
    kafka_ca_file: Path | None = None
    schema_registry_url: str | None = None
    events_topic: str = "audit.events"
    catalogue_file: Path | None = None
    spool_dir: Path = Path()
    durability: Durability = "disk"
    max_spool_bytes: int = 256 * 1024 * 1024
    max_spool_events: int = 1_000_000
    close_seconds: float = 5.0


class SettingsArguments(TypedDict, total=False):
    """The fields of PublishSettings, as keyword arguments; None counts as not given."""

    service: str | None
    service_version: str | None
    service_instance: str | None
    kafka_brokers: str | None
    kafka_security_protocol: SecurityProtocol | None
    kafka_sasl_mechanism: SaslMechanism | None
    kafka_username: str | None
    kafka_password: str | None
    kafka_ca_file: Path | None
    schema_registry_url: str | None
    events_topic: str | None
    catalogue_file: Path | None
    spool_dir: Path | None
    durability: Durability | None
    max_spool_bytes: int | None
    max_spool_events: int | None
    close_seconds: float | None


def load_publish_settings(**arguments: Unpack[SettingsArguments]) -> PublishSettings:
    """Read the settings of a producer.

    Raises:
        ConfigurationError: names the variable that is missing or wrong, and what it takes.
    """
    values: dict[str, Any] = {}
    for name, (variable, read) in _VARIABLES.items():
        given = arguments.get(name)
        if given is None and (text := os.environ.get(variable)):
            given = text
        if given is not None:
            values[name] = _read(variable, read, given)
    if "service" not in values:
        raise ConfigurationError(
            "the producing service has no name: AuditLog(service=...) or AUDITSTREAM_SERVICE"
        )
    if "spool_dir" not in values:
        values["spool_dir"] = _state_dir() / "auditstream" / _slug(values["service"])
    return PublishSettings(**values)


def _read(variable: str, read: Callable[[Any], Any], given: object) -> object:
    try:
        return read(given)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{variable} is {given!r}; it takes {error}") from None


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_IDENTIFIER:
        raise ValueError(f"a text of 1 to {MAX_IDENTIFIER} characters")
    return value


def _positive(value: Any) -> int:
    number = int(value) if str(value).isdecimal() else 0
    if number <= 0:
        raise ValueError("a whole number above 0")
    return number


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ValueError("a number of seconds, 0 or more")
    return seconds


def _file(value: Any) -> Path:
    path = Path(value)
    if not path.is_file():
        raise ValueError("the path of a file that is there")
    return path


def _one_of(literal: object) -> Callable[[object], object]:
    choices = get_args(literal)

    def read(value: object) -> object:
        if value not in choices:
            raise ValueError("one of " + ", ".join(choices))
        return value

    return read


def _state_dir() -> Path:
    try:
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    except RuntimeError:
        raise ConfigurationError(
            "there is no home directory: AUDITSTREAM_SPOOL_DIR names where events may wait"
        ) from None


def _slug(service: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in service)


_VARIABLES: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "service": ("AUDITSTREAM_SERVICE", _name),
    "service_version": ("AUDITSTREAM_SERVICE_VERSION", _name),
    "service_instance": ("AUDITSTREAM_SERVICE_INSTANCE", _name),
    "kafka_brokers": ("AUDITSTREAM_KAFKA_BROKERS", str),
    "kafka_security_protocol": ("AUDITSTREAM_KAFKA_SECURITY_PROTOCOL", _one_of(SecurityProtocol)),
    "kafka_sasl_mechanism": ("AUDITSTREAM_KAFKA_SASL_MECHANISM", _one_of(SaslMechanism)),
    "kafka_username": ("AUDITSTREAM_KAFKA_USERNAME", str),
    "kafka_password": ("AUDITSTREAM_KAFKA_PASSWORD", str),
    "kafka_ca_file": ("AUDITSTREAM_KAFKA_CA_FILE", _file),
    "schema_registry_url": ("AUDITSTREAM_SCHEMA_REGISTRY_URL", str),
    "events_topic": ("AUDITSTREAM_EVENTS_TOPIC", str),
    "catalogue_file": ("AUDITSTREAM_CATALOGUE_FILE", Path),
    "spool_dir": ("AUDITSTREAM_SPOOL_DIR", Path),
    "durability": ("AUDITSTREAM_SPOOL_DURABILITY", _one_of(Durability)),
    "max_spool_bytes": ("AUDITSTREAM_SPOOL_MAX_BYTES", _positive),
    "max_spool_events": ("AUDITSTREAM_SPOOL_MAX_EVENTS", _positive),
    "close_seconds": ("AUDITSTREAM_SPOOL_CLOSE_SECONDS", _seconds),
}
