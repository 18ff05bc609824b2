"""Which Kafka and ClickHouse a command means."""

from __future__ import annotations

import sys
from typing import Annotated, TypeAlias

import typer

from auditstream.cli.running import find_running
from auditstream.contract.catalogue import Catalogue, load_catalogue, shipped_catalogue
from auditstream.settings import Settings, load_settings

UrlOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="ClickHouse over HTTP. Without it: AUDITSTREAM_CLICKHOUSE_URL, else a running "
        "demo or up.",
        show_default=False,
    ),
]
BrokersOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--brokers",
        help="Kafka bootstrap servers. Without it: AUDITSTREAM_KAFKA_BROKERS, else a running "
        "demo or up.",
        show_default=False,
    ),
]


def target(url: str | None = None, brokers: str | None = None) -> Settings:
    """Return the settings with the services that are meant.

    An address that is given, by flag, environment or file, is taken as it is. Where neither is
    given and a demo or `up` runs on this machine, that one is meant.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    settings = load_settings(clickhouse_url=url, kafka_brokers=brokers)
    if {"clickhouse_url", "kafka_brokers"} & settings.model_fields_set:
        return settings
    running = find_running()
    if running is None:
        if sys.stderr.isatty():
            sys.stderr.write("no demo or up runs on this machine: trying the default addresses\n")
        return settings
    if sys.stderr.isatty():
        sys.stderr.write(f"using the {running.command} that runs as process {running.pid}\n")
    return load_settings(clickhouse_url=running.clickhouse_url, kafka_brokers=running.kafka_brokers)


def catalogue_of(settings: Settings) -> Catalogue:
    """Return the catalogue that the settings name, or the shipped one.

    Raises:
        ContractError: the file cannot be read, or is no catalogue.
    """
    file = settings.catalogue_file
    return load_catalogue(file) if file is not None else shipped_catalogue()
