"""`auditstream schema`: the Avro schemas of the contract."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

EXAMPLE = "auditstream schema audit_event > audit_event.avsc"


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("schema", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(print_schema)


def print_schema(
    name: Annotated[
        str | None, typer.Argument(help="audit_event, alert or rejected_event; none: a list.")
    ] = None,
) -> None:
    """Print an Avro schema, or the names of all with the ids they travel under."""
    from auditstream.cli.output import Format, print_rows
    from auditstream.contract.schemas import SCHEMA_NAMES, load_schema, schema_text, shipped_id

    if name is None:
        columns = ("name", "schema id", "what it describes")
        rows = [
            (known, str(shipped_id(known)), load_schema(known)["doc"]) for known in SCHEMA_NAMES
        ]
        print_rows(columns, rows, Format.table)
        return
    for known in SCHEMA_NAMES:
        if known == name:
            sys.stdout.write(schema_text(known))
            return
    raise typer.BadParameter(f"{name!r} is not one of {', '.join(SCHEMA_NAMES)}", param_hint="NAME")
