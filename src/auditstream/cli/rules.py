"""`auditstream rules`: detection rules, what is wrong with them, what they mean, their cases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.output import Format, FormatOption, print_json, print_rows
from auditstream.cli.rule_files import PathArgument, rules_at

if TYPE_CHECKING:
    from auditstream.pipeline.cases import Search
    from auditstream.rules.rule import Rule, RuleProblem

LIST_EXAMPLE = "auditstream rules list"
CHECK_EXAMPLE = "auditstream rules check rules/"
EXPLAIN_EXAMPLE = "auditstream rules explain role_escalation"
TEST_EXAMPLE = "auditstream rules test rules/ --clickhouse"


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to the app."""
    rules = typer.Typer(no_args_is_help=True, help="Look at detection rules, check and test them.")
    rules.command("list", epilog=f"Example: {LIST_EXAMPLE}")(list_rules)
    rules.command("check", epilog=f"Example: {CHECK_EXAMPLE}")(check)
    rules.command("explain", epilog=f"Example: {EXPLAIN_EXAMPLE}")(explain)
    rules.command("test", epilog=f"Example: {TEST_EXAMPLE}")(test)
    app.add_typer(rules, name="rules", rich_help_panel=panel, epilog=f"Example: {TEST_EXAMPLE}")


def list_rules(path: PathArgument = None, form: FormatOption = Format.table) -> None:
    """List the rules of single events: name, level, title, the actions they are about."""
    found = rules_at(path)
    rows = [
        (rule.name, rule.level, rule.title, ", ".join(sorted(rule.actions))) for rule in found.rules
    ]
    print_rows(("name", "level", "title", "actions"), rows, form)
    _warn(found.problems)


def check(path: PathArgument = None, form: FormatOption = Format.table) -> None:
    """Print what is wrong with rules as file:line: message; exit code 1 when anything is."""
    found = rules_at(path)
    if form is Format.table:
        for problem in found.problems:
            typer.echo(str(problem))
    else:
        rows = [(problem.file, problem.line, problem.message) for problem in found.problems]
        print_rows(("file", "line", "message"), rows, form)
    if found.problems:
        raise typer.Exit(1)
    if form is Format.table:
        typer.echo(f"nothing is wrong with {len(found.rules) + len(found.correlations)} rules")


def explain(
    name: Annotated[str, typer.Argument(help="Name of a rule.")],
    path: PathArgument = None,
    form: FormatOption = Format.table,
) -> None:
    """Show a rule, both of its compilations, and the sentence that its alerts tell."""
    from auditstream.rules.to_polars import compile_polars
    from auditstream.rules.to_sql import compile_sql

    rule = _named(name, path)
    rows = [
        ("name", rule.name),
        ("title", rule.title),
        ("level", rule.level),
        ("description", " ".join(rule.description.split())),
        ("actions", ", ".join(sorted(rule.actions))),
        ("sentence", rule.sentence or "that of the event"),
        ("reason", rule.reason),
        ("one alert for each", f"{', '.join(rule.group_by)} in {rule.window}"),
        ("false positives", "; ".join(rule.false_positives)),
        ("attack", ", ".join(rule.attack)),
        ("runbook", rule.runbook or ""),
        ("cases", len(rule.cases)),
        ("file", f"{rule.origin}:{rule.line}"),
        ("polars", str(compile_polars(rule))),
        ("clickhouse", compile_sql(rule)),
    ]
    if form is Format.json:
        print_json({key.replace(" ", "_"): value for key, value in rows})
    elif form is Format.csv:
        print_rows(("field", "value"), rows, form)
    else:
        from auditstream.alerts.neutral import printable

        for key, value in rows:
            typer.echo(f"{key}: {printable(str(value))}")


def test(
    path: PathArgument = None,
    clickhouse: Annotated[
        bool,
        typer.Option("--clickhouse", help="Search an embedded ClickHouse with the rules, too."),
    ] = False,
    form: FormatOption = Format.table,
) -> None:
    """Run the cases that rule files carry; exit code 1 when one fails or a rule is broken."""
    from auditstream.cli.target import catalogue_of
    from auditstream.pipeline.cases import run_cases
    from auditstream.settings import load_settings

    found = rules_at(path)
    with _scratch(wanted=clickhouse) as search:
        verdicts = run_cases(found.rules, catalogue_of(load_settings()), search)
    failed = [verdict for verdict in verdicts if verdict.problem]
    if form is Format.table:
        for verdict in failed:
            typer.echo(str(verdict))
        typer.echo(f"{len(verdicts) - len(failed)} cases as expected, {len(failed)} not")
    else:
        rows = [
            (v.rule.name, v.rule.origin, v.case.line, v.engine, v.problem is None, v.problem)
            for v in verdicts
        ]
        print_rows(("rule", "file", "line", "engine", "passed", "problem"), rows, form)
    _warn(found.problems)
    if failed or found.problems:
        raise typer.Exit(1)


def _named(name: str, path: Path | None) -> Rule:
    found = rules_at(path)
    for rule in found.rules:
        if rule.name == name:
            return rule
    _warn(found.problems)
    raise typer.BadParameter(f"there is no rule {name}", param_hint="NAME")


def _warn(problems: tuple[RuleProblem, ...]) -> None:
    for problem in problems:
        typer.echo(str(problem), err=True)


@contextmanager
def _scratch(*, wanted: bool) -> Iterator[Search | None]:
    """Yield a search in an embedded ClickHouse that is there for nothing else, if wanted."""
    if not wanted:
        yield None
        return
    from auditstream.embedded import ClickHouse
    from auditstream.rules.search import search_events
    from auditstream.settings import load_settings
    from auditstream.store.connection import connect
    from auditstream.store.migrate import migrate

    with TemporaryDirectory(prefix="auditstream-rules-") as name:
        directory = Path(name)
        with ClickHouse(directory / "data", log_path=directory / "log") as server:
            # Not the password of the server that the settings name.
            settings = load_settings().model_copy(update={"clickhouse_url": server.url})
            with closing(connect(settings)) as store:
                migrate(store, 0)
                yield lambda rules, events: search_events(store, rules, events)
