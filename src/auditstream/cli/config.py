"""`auditstream config`: the settings in force."""

from __future__ import annotations

import typer

from auditstream.cli.output import Format, FormatOption, print_rows

EXAMPLE = "AUDITSTREAM_KAFKA_BROKERS=kafka-1:9092 auditstream config"
MASK = "********"


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("config", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(print_config)


def print_config(form: FormatOption = Format.table) -> None:
    """Print every setting: its variable, the value in force, its default, what it means.

    Secrets are masked. A setting is taken from its environment variable, else from the TOML file
    that AUDITSTREAM_CONFIG names, or auditstream.toml in the working directory.
    """
    from auditstream.settings import PREFIX, Settings, load_settings

    settings = load_settings()
    rows = [
        (
            f"{PREFIX}{name.upper()}",
            _shown(getattr(settings, name)),
            _shown(field.default),
            field.description,
        )
        for name, field in Settings.model_fields.items()
    ]
    print_rows(("variable", "value", "default", "description"), rows, form)


def _shown(value: object) -> str:
    from pydantic import SecretStr

    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    if isinstance(value, str) and "://" in value:
        return _without_password(value)
    return "" if value is None else str(value)


def _without_password(url: str) -> str:
    from urllib.parse import urlsplit

    address = urlsplit(url)
    user, at, host = address.netloc.rpartition("@")
    if not at:
        return url
    return address._replace(netloc=f"{user.partition(':')[0]}:{MASK}@{host}").geturl()
