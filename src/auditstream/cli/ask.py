"""`auditstream ask`: saved questions and their answers."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from auditstream.cli.output import Format, FormatOption, print_json, print_rows
from auditstream.cli.target import UrlOption, target

EXAMPLE = "auditstream ask who_could_use --param thing=Sales --param at=2025-05-03"


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("ask", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(run_ask)


def run_ask(
    name: Annotated[str | None, typer.Argument(help="Name of a question; none: a list.")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", help="A parameter as NAME=VALUE; may be repeated."),
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Show the question and its SQL.")] = False,
    form: FormatOption = Format.table,
    url: UrlOption = None,
) -> None:
    """Answer a question a reviewer of access asks, or list the questions with their parameters."""
    from auditstream.store.ask import ask, find_question
    from auditstream.store.connection import connect

    values = _values(given or [])
    if name is None:
        _list(form)
        return
    question = find_question(name)
    if sql:
        typer.echo(
            f"-- {question.title}\n-- {question.description}\n{question.sql_for(values).strip()}"
        )
        return
    with closing(connect(target(url=url))) as store:
        answer = ask(store, question, values)
    print_rows(answer.columns, answer.rows, form)


def _values(given: list[str]) -> dict[str, str]:
    values = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{item!r} is not NAME=VALUE", param_hint="--param")
        values[name] = value
    return values


def _list(form: Format) -> None:
    from auditstream.store.ask import shipped_questions

    questions = shipped_questions()
    if form is Format.json:
        print_json(
            [
                {
                    "name": question.name,
                    "title": question.title,
                    "description": question.description,
                    "parameters": [
                        {
                            "name": parameter.name,
                            "type": parameter.type,
                            "help": parameter.help,
                            "required": parameter.required,
                            "default": parameter.default,
                        }
                        for parameter in question.parameters
                    ],
                }
                for question in questions
            ]
        )
        return
    rows = [
        (
            question.name,
            question.title,
            ", ".join(p.name if p.required else f"[{p.name}]" for p in question.parameters),
        )
        for question in questions
    ]
    print_rows(("name", "question", "parameters"), rows, form)
