"""`auditstream rules mutate`: whether the cases of rules notice when a rule is changed."""

from __future__ import annotations

import typer

from auditstream.cli.output import Format, FormatOption, print_rows
from auditstream.cli.rule_files import PathArgument, rules_at

EXAMPLE = "auditstream rules mutate rules/"


def register(rules: typer.Typer) -> None:
    """Add the command to those about rules."""
    rules.command("mutate", epilog=f"Example: {EXAMPLE}")(mutate)


def mutate(path: PathArgument = None, form: FormatOption = Format.table) -> None:
    """Change rules of single events bit by bit; exit 1 where their cases do not notice a change.

    A change that leaves the meaning of a rule as it is cannot be noticed, and is told as well.
    """
    from auditstream.cli.target import catalogue_of
    from auditstream.settings import load_settings
    from auditstream.worker import mutation

    found = rules_at(path)
    mutants = list(mutation.mutate(found.rules, catalogue_of(load_settings())))
    missed = [mutant for mutant in mutants if not mutant.noticed]
    if form is Format.table:
        for mutant in missed:
            typer.echo(f"{mutant.origin}:{mutant.line}: {mutant.rule}: {mutant.change}")
        typer.echo(f"{len(mutants) - len(missed)} changes noticed, {len(missed)} not")
    else:
        rows = [(m.rule, m.origin, m.line, m.change, m.noticed) for m in mutants]
        print_rows(("rule", "file", "line", "change", "noticed"), rows, form)
    for problem in found.every.problems:
        typer.echo(str(problem), err=True)
    if missed or found.every.problems:
        raise typer.Exit(1)
