"""Which rules a command means: those of a file or a directory, else all that are in force."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from auditstream.rules.rule import Rule, RuleSet
    from auditstream.settings import Settings

RuleArgument: TypeAlias = Annotated[
    str, typer.Argument(help="Name of a rule in force, or a file with one.")
]
PathArgument: TypeAlias = Annotated[
    Path | None,
    typer.Argument(
        help="A file or a directory of rules. Without it: the built-in rules and those of "
        "AUDITSTREAM_RULES_DIR.",
        exists=True,
        show_default=False,
    ),
]


@dataclass(frozen=True)
class Selection:
    """Rules that a command is about, among all that they were read with.

    `names` are those of the rules that are meant; `every` has what they rest on as well, but only
    the problems of the files that are meant.
    """

    every: RuleSet
    names: frozenset[str]
    path: Path | None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of single events that are meant."""
        return tuple(rule for rule in self.every.rules if rule.name in self.names)

    def has(self, file: str) -> bool:
        """Return whether a file is meant."""
        return self.path is None or _within(file, self.path)


def rules_at(path: Path | None) -> Selection:
    """Return the rules of a path, or all in force, with what is wrong with others.

    A file is read together with its directory and the built-in rules: its rules may rest on others,
    placeholders and filters count.

    Raises:
        ConfigurationError, ContractError: a setting or the catalogue is wrong.
    """
    from auditstream.cli.target import catalogue_of
    from auditstream.rules.files import builtin_directory
    from auditstream.rules.lint import described
    from auditstream.rules.load import load_rules
    from auditstream.settings import load_settings

    settings = load_settings()
    catalogue = catalogue_of(settings)
    directory = settings.rules_dir
    if path is not None:
        directory = path if path.is_dir() else path.parent
        builtin = Path(str(builtin_directory())).resolve()
        if directory.resolve().is_relative_to(builtin):
            directory = None
    found = load_rules(directory, catalogue=catalogue, strict=False)
    selection = Selection(found, frozenset(), path)
    problems = tuple(problem for problem in found.problems if selection.has(problem.file))
    names = frozenset(rule.name for rule in described(found) if selection.has(rule.file))
    return Selection(replace(found, problems=problems), names, path)


@dataclass(frozen=True)
class Chosen:
    """A rule that a command means, by its name; `file` where it was given as one.

    `rules` has it in the version that is meant, `in_force` has what is in force.
    """

    name: str
    rules: RuleSet
    in_force: RuleSet
    file: Path | None


def chosen(rule: str, settings: Settings) -> Chosen:
    """Return the rule that a name or a file means.

    Raises:
        RuleError: the file has something wrong.
        ConfigurationError, ContractError: a setting or the catalogue is wrong.
    """
    from auditstream.cli.target import catalogue_of
    from auditstream.rules.load import load_rules

    catalogue = catalogue_of(settings)
    in_force = load_rules(settings.rules_dir, catalogue=catalogue, strict=False)
    file = Path(rule) if Path(rule).is_file() else None
    rules = (
        load_rules(settings.rules_dir, catalogue=catalogue, strict=False, first=file)
        if file
        else in_force
    )
    return Chosen(_name(rules, rule, file), rules, in_force, file)


def _within(file: str, path: Path) -> bool:
    return Path(file).resolve().is_relative_to(path.resolve())


def _name(rules: RuleSet, given: str, file: Path | None) -> str:
    """Return the name of the rule that is meant.

    Raises:
        RuleError: the file has something wrong.
    """
    from auditstream.errors import RuleError
    from auditstream.rules.lint import described

    known = described(rules)
    if file is None:
        if given not in {rule.name for rule in known}:
            raise typer.BadParameter(f"there is no rule or file {given}", param_hint="RULE")
        return given
    for problem in rules.problems:
        if problem.file == str(file):
            raise RuleError(problem.message, problem.file, problem.line)
    names = [rule.name for rule in known if rule.alerts and rule.file == str(file)]
    if len(names) != 1:
        raise typer.BadParameter(
            f"{file} has {len(names)} rules that raise alerts, one is wanted", param_hint="RULE"
        )
    return names[0]
