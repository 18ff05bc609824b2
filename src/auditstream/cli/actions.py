"""`auditstream actions`: the catalogue of audited actions."""

from __future__ import annotations

from typing import Annotated

import typer

from auditstream.cli.output import Format, FormatOption, print_json, print_rows

EXAMPLE = "auditstream actions --category workspace_connections"


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("actions", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(print_actions)


def print_actions(
    category: Annotated[
        str | None, typer.Option("--category", "-c", help="Only actions of this category.")
    ] = None,
    form: FormatOption = Format.table,
) -> None:
    """Print the actions that can be audited: what each needs, its roles, how it reads."""
    from auditstream.cli.target import catalogue_of
    from auditstream.settings import load_settings

    catalogue = catalogue_of(load_settings())
    if category is not None and category not in catalogue.categories:
        known = ", ".join(catalogue.categories)
        raise typer.BadParameter(f"{category!r} is not one of {known}", param_hint="--category")
    actions = [a for a in catalogue.actions.values() if category in (None, a.category)]
    if form is Format.json:
        print_json(
            [
                {
                    "action": action.name,
                    "category": action.category,
                    "description": action.description,
                    "entity_type": action.entity_type,
                    "required": action.required,
                    "optional": action.optional,
                    "roles": action.roles,
                    "severity": action.severity,
                    "sentence": action.sentence,
                    "ocsf_class_uid": action.ocsf.class_uid,
                    "ocsf_activity_id": action.ocsf.activity_id,
                }
                for action in actions
            ]
        )
        return
    columns = ("category", "action", "required", "optional", "roles", "severity", "description")
    rows = [
        (
            catalogue.categories[action.category].title,
            action.name,
            ", ".join(action.required),
            ", ".join(action.optional),
            " < ".join(action.roles),
            action.severity,
            action.description,
        )
        for action in actions
    ]
    print_rows(columns, rows, form)
