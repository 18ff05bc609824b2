"""`auditstream rules`: detection rules, what is wrong with them, what they mean, their cases."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli import rules_backtest, rules_mutate, rules_raise
from auditstream.cli.output import Format, FormatOption, print_json, print_rows
from auditstream.cli.rule_files import PathArgument, rules_at

if TYPE_CHECKING:
    from auditstream.rules.correlation.model import CompoundRule
    from auditstream.rules.rule import Rule, RuleProblem, RuleSet
    from auditstream.store.connection import Store

LIST_EXAMPLE = "auditstream rules list"
CHECK_EXAMPLE = "auditstream rules check rules/"
EXPLAIN_EXAMPLE = "auditstream rules explain role_escalation"
RUNBOOK_EXAMPLE = "auditstream rules runbook role_escalation"
TEST_EXAMPLE = "auditstream rules test rules/"


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to the app."""
    rules = typer.Typer(no_args_is_help=True, help="Look at detection rules, check and test them.")
    rules.command("list", epilog=f"Example: {LIST_EXAMPLE}")(list_rules)
    rules.command("check", epilog=f"Example: {CHECK_EXAMPLE}")(check)
    rules.command("explain", epilog=f"Example: {EXPLAIN_EXAMPLE}")(explain)
    rules.command("runbook", epilog=f"Example: {RUNBOOK_EXAMPLE}")(runbook)
    rules.command("test", epilog=f"Example: {TEST_EXAMPLE}")(run_tests)
    rules_mutate.register(rules)
    rules_backtest.register(rules)
    rules_raise.register(rules)
    app.add_typer(rules, name="rules", rich_help_panel=panel, epilog=f"Example: {TEST_EXAMPLE}")


def list_rules(path: PathArgument = None, form: FormatOption = Format.table) -> None:
    """List rules: name, level, kind, title, tags, actions they are about, number of cases.

    A table counts the actions where there are more than three.
    """
    from auditstream.rules.lint import described

    found = rules_at(path)

    def told(values: Collection[str], most: int = 0) -> object:
        if form is Format.json:
            return list(values)
        shortened = form is Format.table and most and len(values) > most
        return str(len(values)) if shortened else ", ".join(values)

    rows = [
        (r.name, r.level, r.kind, r.title, told(r.tags), told(sorted(r.actions), 3), len(r.cases))
        for r in described(found.every)
        if r.name in found.names
    ]
    print_rows(("name", "level", "kind", "title", "tags", "actions", "cases"), rows, form)
    _warn(found.every.problems)


def check(
    path: PathArgument = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 for advice as well, not only for errors.")
    ] = False,
    form: FormatOption = Format.table,
) -> None:
    """Print what is wrong with rules, and advice, as file:line: message; exit 1 for errors."""
    from auditstream.rules.lint import advice

    found = rules_at(path)
    hints = [hint for hint in advice(found.every) if found.has(hint.file)]
    problems = found.every.problems
    rows = [("error", p.file, p.line, p.message) for p in problems]
    rows += [("advice", p.file, p.line, p.message) for p in hints]
    if form is Format.table:
        for kind, file, line, message in rows:
            typer.echo(f"{file}:{line}: {kind}: {message}")
    else:
        print_rows(("kind", "file", "line", "message"), rows, form)
    if problems or (strict and hints):
        raise typer.Exit(1)
    if form is Format.table:
        typer.echo(f"{len(found.names)} rules can be used")


def explain(
    name: Annotated[str, typer.Argument(help="Name of a rule.")],
    path: PathArgument = None,
    form: FormatOption = Format.table,
) -> None:
    """Show a rule, what it is compiled to, and the sentence that its alerts tell."""
    found = rules_at(path).every
    single = next((rule for rule in found.rules if rule.name == name), None)
    compound = found.correlations.rules.get(name)
    if single is not None:
        rows = _single(single)
    elif compound is not None:
        rows = _compound(compound, found)
    else:
        _warn(found.problems)
        raise typer.BadParameter(f"there is no rule {name}", param_hint="NAME")
    if form is Format.json:
        print_json({key.replace(" ", "_"): value for key, value in rows})
    elif form is Format.csv:
        print_rows(("field", "value"), rows, form)
    else:
        from auditstream.alerts.neutral import printable

        for key, value in rows:
            typer.echo(f"{key}: {printable(str(value))}")


def runbook(
    name: Annotated[str, typer.Argument(help="Name of a runbook, as alerts and rules give it.")],
) -> None:
    """Print a shipped runbook: what to look at after an alert, and what to do."""
    from auditstream.rules.files import runbook_page

    page = runbook_page(name)
    if page is None:
        raise typer.BadParameter(f"there is no runbook {name}", param_hint="NAME")
    typer.echo(page, nl=False)


def run_tests(
    path: PathArgument = None,
    stream_only: Annotated[
        bool,
        typer.Option("--stream-only", help="Without ClickHouse: no rules over several events."),
    ] = False,
    form: FormatOption = Format.table,
) -> None:
    """Run the cases beside rules, on the stream and on an embedded ClickHouse; exit 1 on failure.

    The ClickHouse is made for the purpose and thrown away.
    """
    from auditstream.cli.target import catalogue_of
    from auditstream.settings import load_settings
    from auditstream.worker.cases import run_cases

    found = rules_at(path)
    with scratch_store(wanted=not stream_only) as store:
        verdicts = run_cases(found.every, catalogue_of(load_settings()), store, found.names)
    failed = [verdict for verdict in verdicts if verdict.problem]
    if form is Format.table:
        for verdict in failed:
            typer.echo(str(verdict))
        typer.echo(f"{len(verdicts) - len(failed)} as expected, {len(failed)} not")
    else:
        rows = [(v.rule, v.origin, v.line, v.engine, not v.problem, v.problem) for v in verdicts]
        print_rows(("rule", "file", "line", "engine", "passed", "problem"), rows, form)
    _warn(found.every.problems)
    if failed or found.every.problems:
        raise typer.Exit(1)


@contextmanager
def scratch_store(*, wanted: bool = True) -> Iterator[Store | None]:
    """Yield an empty store in an embedded ClickHouse that is there for nothing else, if wanted."""
    if not wanted:
        yield None
        return
    from auditstream.embedded import ClickHouse
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
                yield store


def _single(rule: Rule) -> list[tuple[str, object]]:
    from auditstream.rules.to_polars import compile_polars
    from auditstream.rules.to_sql import compile_sql

    return [
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
        ("stream", str(compile_polars(rule))),
        ("table", compile_sql(rule)),
    ]


def _compound(rule: CompoundRule, found: RuleSet) -> list[tuple[str, object]]:
    from datetime import UTC, datetime, timedelta

    from auditstream.rules.correlation.compile import to_sql
    from auditstream.rules.correlation.link import references
    from auditstream.rules.to_sql import compile_sql

    header = rule.header
    now = datetime.now(UTC).replace(microsecond=0)
    predicates = {single.name: compile_sql(single) for single in found.rules}
    sql = to_sql(rule, predicates, now - timedelta(hours=1), now, linked=found.correlations)
    return [
        ("name", header.name),
        ("title", header.title),
        ("level", header.level),
        ("description", " ".join(header.description.split())),
        ("rests on", ", ".join(references(rule)) or "every event"),
        ("sentence", header.sentence),
        ("reason", header.reason),
        ("one alert for each", f"group in {header.window}"),
        ("false positives", "; ".join(header.false_positives)),
        ("attack", ", ".join(header.attack)),
        ("runbook", header.runbook or ""),
        ("cases", len(header.cases)),
        ("file", header.origin),
        ("stream", "candidates only: the rule is asked of the table"),
        ("table", sql),
    ]


def _warn(problems: tuple[RuleProblem, ...]) -> None:
    for problem in problems:
        typer.echo(str(problem), err=True)
