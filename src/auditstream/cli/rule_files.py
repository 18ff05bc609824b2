"""Which rules a command means: those of a file or a directory, else all that are in force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from auditstream.rules.rule import RuleSet

PathArgument: TypeAlias = Annotated[
    Path | None,
    typer.Argument(
        help="A file or a directory of rules. Without it: the built-in rules and those of "
        "AUDITSTREAM_RULES_DIR.",
        exists=True,
        show_default=False,
    ),
]


def rules_at(path: Path | None) -> RuleSet:
    """Return the rules of a path, or all in force, with what is wrong with others.

    A file is read together with its directory: its placeholders and filters count.

    Raises:
        ConfigurationError, ContractError: a setting or the catalogue is wrong.
    """
    from auditstream.cli.target import catalogue_of
    from auditstream.rules.files import builtin_directory
    from auditstream.rules.load import load_rules
    from auditstream.rules.rule import RuleSet
    from auditstream.settings import load_settings

    settings = load_settings()
    catalogue = catalogue_of(settings)
    if path is None:
        return load_rules(settings.rules_dir, catalogue=catalogue, strict=False)
    directory = path if path.is_dir() else path.parent
    builtin = Path(str(builtin_directory())).resolve()
    shipped = directory.resolve().is_relative_to(builtin)
    found = load_rules(None if shipped else directory, catalogue=catalogue, strict=False)
    return RuleSet(
        tuple(rule for rule in found.rules if _within(rule.origin, path)),
        replace(
            found.correlations,
            rules={
                name: rule
                for name, rule in found.correlations.rules.items()
                if _within(rule.header.origin, path)
            },
        ),
        tuple(problem for problem in found.problems if _within(problem.file, path)),
    )


def _within(file: str, path: Path) -> bool:
    return Path(file).resolve().is_relative_to(path.resolve())
