"""`auditstream rules mutate`: whether the cases of rules notice when a rule is changed."""

from __future__ import annotations

import time

import typer

from auditstream.cli.output import Format, FormatOption, print_rows
from auditstream.cli.rule_files import PathArgument, rules_at
from auditstream.cli.scratch import StreamOnlyOption, scratch_store

EXAMPLE = "auditstream rules mutate rules/"


def register(rules: typer.Typer) -> None:
    """Add the command to those about rules."""
    rules.command("mutate", epilog=f"Example: {EXAMPLE}")(mutate)


def mutate(
    path: PathArgument = None,
    stream_only: StreamOnlyOption = False,
    form: FormatOption = Format.table,
) -> None:
    """Change rules bit by bit; exit 1 where their cases do not notice a change.

    Conditions of single events; counts, timespans, groups, order and parts of rules over several,
    for which an embedded ClickHouse is made and thrown away. A change that leaves the meaning of a
    rule as it is cannot be noticed, and is told as well.
    """
    from auditstream.cli.target import catalogue_of
    from auditstream.settings import load_settings
    from auditstream.worker import mutation

    began = time.perf_counter()
    found = rules_at(path)
    with scratch_store(wanted=not stream_only) as store:
        mutants = list(
            mutation.mutate(found.every, catalogue_of(load_settings()), store, found.names)
        )
    missed = [mutant for mutant in mutants if not mutant.noticed]
    if form is Format.table:
        for mutant in missed:
            typer.echo(f"{mutant.origin}:{mutant.line}: {mutant.rule}: {mutant.change}")
        seconds = time.perf_counter() - began
        noticed = len(mutants) - len(missed)
        typer.echo(f"{noticed} changes noticed, {len(missed)} not, in {seconds:.0f} s")
    else:
        rows = [(m.rule, m.origin, m.line, m.change, m.noticed) for m in mutants]
        print_rows(("rule", "file", "line", "change", "noticed"), rows, form)
    for problem in found.every.problems:
        typer.echo(str(problem), err=True)
    if missed or found.every.problems:
        raise typer.Exit(1)
