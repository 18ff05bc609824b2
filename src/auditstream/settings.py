"""All settings of the worker, the notifier and the commands, in one typed object.

Sources, the later wins: defaults, a TOML file (`auditstream.toml` in the working directory, or the
file that AUDITSTREAM_CONFIG names), environment variables AUDITSTREAM_…, flags of a command.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from auditstream.contract.catalogue import Severity
from auditstream.errors import ConfigurationError
from auditstream.notifier_settings import NotifierSettings

PREFIX = "AUDITSTREAM_"
CONFIG_VARIABLE = "AUDITSTREAM_CONFIG"
DEFAULT_CONFIG = Path("auditstream.toml")

Seconds = Annotated[float, Field(gt=0)]
Rows = Annotated[int, Field(gt=0)]


class Settings(BaseSettings):
    """Settings of auditstream; each is the environment variable AUDITSTREAM_<NAME>."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    kafka_brokers: str = Field(
        "127.0.0.1:9092", min_length=1, description="Kafka bootstrap servers."
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to talk to Kafka."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism, where the protocol uses SASL."
    )
    kafka_username: str | None = Field(None, description="SASL user.")
    kafka_password: SecretStr | None = Field(None, description="SASL password.")
    kafka_ca_file: Path | None = Field(None, description="CA certificates of the brokers (PEM).")
    schema_registry_url: str | None = Field(
        None, description="Confluent-compatible schema registry; none: the shipped schema ids."
    )
    events_topic: str = Field("audit.events", description="Topic of audit events.")
    alerts_topic: str = Field("audit.alerts", description="Topic of alerts.")
    rejected_topic: str = Field("audit.rejected", description="Topic of rejected events.")
    consumer_group: str = Field("auditstream", description="Consumer group of the workers.")
    notifier_group: str = Field("auditstream-notifier", description="Group of the notifiers.")
    session_timeout_seconds: Seconds = Field(
        45.0, description="A worker unheard of for so long loses its partitions."
    )
    topic_partitions: int = Field(6, gt=0, description="Partitions of a topic made by `up`.")

    clickhouse_url: str = Field(
        "http://127.0.0.1:8123", description="ClickHouse over HTTP: http(s)://host:port."
    )
    clickhouse_user: str = Field("default", description="ClickHouse user.")
    clickhouse_password: SecretStr = Field(SecretStr(""), description="ClickHouse password.")
    clickhouse_database: str = Field(
        "audit", pattern="^[A-Za-z_][A-Za-z0-9_]*$", description="Database of all tables."
    )
    retention_days: int = Field(
        0, ge=0, description="Days an event is kept after its arrival; 0 keeps it for ever."
    )

    fetch_rows: Rows = Field(30_000, description="Records of one fetch at most.")
    fetch_seconds: Seconds = Field(0.1, description="How long a fetch waits for records.")
    append_rows: Rows = Field(100_000, description="Rows of one append at which it is sent.")
    append_seconds: Seconds = Field(1.0, description="Age of a row at which its append is sent.")
    append_timeout_seconds: Seconds = Field(
        15.0, description="Bound of one append; after it the append has landed or never will."
    )
    buffer_rows: Rows = Field(
        300_000, description="Rows in memory at which reading pauses until the store caught up."
    )
    drain_seconds: Seconds = Field(10.0, description="How long a stopping worker may drain.")

    health_seconds: float = Field(
        60.0, ge=0, description="How often a worker looks whether all is well; 0: never."
    )
    silent_seconds: Seconds = Field(
        900.0, description="Time without any event after which on-call is told."
    )
    max_lag_records: int = Field(
        1_000_000, gt=0, description="Records a worker may be behind before on-call is told."
    )
    canary_seconds: float = Field(
        0.0, ge=0, description="How often a worker sends a canary event through; 0: never."
    )
    metrics_port: int = Field(
        0, ge=0, le=65_535, description="Loopback port of Prometheus metrics; 0: none."
    )

    max_event_bytes: int = Field(1_048_576, gt=0, description="Size of a record value at most.")
    max_future_seconds: Seconds = Field(
        86_400.0, description="How far an event's time may lie ahead of the worker's clock."
    )
    late_seconds: Seconds = Field(
        300.0, description="Delay between occurrence and arrival from which an event is late."
    )
    geoip_country_file: Path | None = Field(
        None, description="MaxMind-format database with countries, for addresses."
    )
    geoip_network_file: Path | None = Field(
        None, description="MaxMind-format database with networks (ASN), for addresses."
    )
    catalogue_file: Path | None = Field(
        None, description="Catalogue of actions in place of the shipped one."
    )
    rules_dir: Path | None = Field(None, description="Rules beside the built-in ones.")
    builtin_level: Severity = Field(
        "medium",
        description="Least level of the built-in rules that are in force; own rules always are.",
    )
    explorer_url: str | None = Field(
        None,
        pattern="^https?://[^\\s<>|]+$",
        description="Where the explorer is, for links in alerts.",
    )
    notifier: NotifierSettings = Field(
        NotifierSettings(), description="Whom to tell of alerts; in the file, [notifier] and below."
    )

    api_host: str = Field("127.0.0.1", description="Address on which the endpoint listens.")
    api_port: int = Field(8700, ge=0, le=65_535, description="Port of the endpoint.")
    api_workers: int = Field(
        1, gt=0, le=64, description="Processes of the endpoint; limits are counted in each."
    )
    api_requests_per_minute: int = Field(
        600, gt=0, description="Requests that a workspace token may make in a minute."
    )
    api_secret: SecretStr | None = Field(
        None,
        description="Key that seals page tokens; none: one derived from the table of events.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: flags, environment, TOML file; the first that has a value wins."""
        file = Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)


def load_settings(**flags: Any) -> Settings:
    """Read the settings; `flags` that are None count as not given.

    Raises:
        ConfigurationError: names every variable that is wrong and what it takes.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if named and not Path(named).is_file():
        raise ConfigurationError(f"{CONFIG_VARIABLE}: there is no file {named}")
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith(PREFIX)
        and name != CONFIG_VARIABLE
        and name.removeprefix(PREFIX).lower() not in Settings.model_fields
        and not name.startswith(FOREIGN_PREFIXES)
    )
    if unknown:
        raise ConfigurationError(f"{unknown[0]} is not a setting; see `auditstream config`")
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        lines = [
            f"{_key(item['loc'])}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError("settings are wrong: " + "; ".join(lines)) from None


def _key(place: tuple[int | str, ...]) -> str:
    """Return the variable, or the key of the settings file where there is none for it."""
    if place[0] == "notifier":
        return ".".join(str(part) for part in place)
    return f"{PREFIX}{'_'.join(str(part) for part in place).upper()}"


FOREIGN_PREFIXES = ("AUDITSTREAM_TEST_", "AUDITSTREAM_SPOOL_", "AUDITSTREAM_SERVICE")
"""Variables of the producers' SDK and of the tests, which are not settings of a command."""
