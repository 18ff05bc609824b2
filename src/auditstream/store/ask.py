"""Saved questions: SQL files with a title, a description and parameters, and their answers.

A file begins with comments that tell what it is:

    -- title: Who was in a group at a time?
    -- description: One or more sentences;
    --   further lines are indented.
    -- parameter group String: Identifier or name of the group.
    -- parameter limit UInt32 = 1000: Rows at most.

A parameter has a ClickHouse type and, unless it must be given, a default (`''` is empty, `NULL`
no value). It stands in the SQL as {group:String}; ClickHouse fills it in, as a value.

After the SQL, and a line `-- within one workspace:`, there may be another way to the same answer,
which is taken when a workspace is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Final

from auditstream.errors import ConfigurationError
from auditstream.store.connection import Store
from auditstream.store.query import Table, query_table, query_text

_FIELD: Final = re.compile(r"-- (title|description|parameter (?P<parameter>.+?)): (?P<text>.+)")
_PARAMETER: Final = re.compile(r"(?P<name>\w+) (?P<type>.+?)(?: = (?P<default>.+))?")
_CONTINUED: Final = "--   "
_NOTHING: Final = {"''": "", "NULL": None}
_WITHIN: Final = "\n-- within one workspace:\n"
WORKSPACE: Final = "workspace"


@dataclass(frozen=True)
class Parameter:
    """A value that a question asks for; `default` is None for no value as well."""

    name: str
    type: str
    help: str
    required: bool
    default: str | None = None

    def value(self, text: str) -> str:
        """Return a value as ClickHouse takes it.

        Raises:
            ConfigurationError: it is not of the type.
        """
        if "DateTime" in self.type:
            return self._time(text)
        if "Int" in self.type and not re.fullmatch(r"\d{1,9}", text):
            raise ConfigurationError(f"parameter {self.name}: {text!r} is not a whole number")
        return text

    def _time(self, text: str) -> str:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise ConfigurationError(
                f"parameter {self.name}: {text!r} is not a time like 2025-05-03 or "
                "2025-05-03T14:00:00+02:00"
            ) from error
        moment = moment.astimezone(UTC) if moment.tzinfo else moment
        return f"{moment:%Y-%m-%d %H:%M:%S.%f}"


@dataclass(frozen=True)
class Question:
    """A question of an analyst, and the SQL that answers it."""

    name: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    sql: str
    sql_within: str | None = None

    def sql_for(self, values: Mapping[str, str]) -> str:
        """Return the SQL that answers for these values the fastest."""
        return self.sql_within if self.sql_within and values.get(WORKSPACE) else self.sql

    @property
    def is_confined(self) -> bool:
        """Whether it can be asked about one workspace alone, by its parameter `workspace`."""
        return any(parameter.name == WORKSPACE for parameter in self.parameters)

    def bind(self, values: Mapping[str, str]) -> dict[str, str | None]:
        """Return the values of all parameters, in UTC; a time without an offset is UTC.

        Raises:
            ConfigurationError: one is missing, unknown or not of its type.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        if unknown := sorted(set(values) - set(known)):
            raise ConfigurationError(
                f"question {self.name} has no parameter {unknown[0]}; it has {', '.join(known)}"
            )
        bound: dict[str, str | None] = {}
        for name, parameter in known.items():
            if name in values:
                bound[name] = parameter.value(values[name])
            elif parameter.required:
                raise ConfigurationError(
                    f"question {self.name} needs the parameter {name}: {parameter.help}"
                )
            else:
                bound[name] = parameter.default
        return bound


@cache
def shipped_questions() -> tuple[Question, ...]:
    """Return the questions of the package, in the order of their names."""
    folder = files("auditstream.store").joinpath("questions")
    found = [
        parse_question(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    return tuple(sorted(found, key=lambda question: question.name))


def find_question(name: str) -> Question:
    """Return a question of the package by its name.

    Raises:
        ConfigurationError: there is none of that name.
    """
    for question in shipped_questions():
        if question.name == name:
            return question
    raise ConfigurationError(f"there is no question {name!r}; `auditstream ask` lists them")


def ask(store: Store, question: Question, values: Mapping[str, str]) -> Table:
    """Return the answer to a question; `values` are texts of its parameters.

    Blocks until all rows are in memory.

    Raises:
        ConfigurationError: a parameter is missing, unknown or not of its type.
        StoreError, ServiceUnavailableError: see `Store`.
    """
    return query_table(store, question.sql_for(values), parameters=question.bind(values))


def ask_text(
    store: Store, question: Question, values: Mapping[str, str], output_format: str
) -> str:
    """Return the answer in a format of ClickHouse, for example `JSONEachRow`; as for `ask`."""
    sql = question.sql_for(values)
    return query_text(store, sql, output_format, parameters=question.bind(values))


def parse_question(name: str, text: str) -> Question:
    """Read a question from the text of its file.

    Raises:
        ConfigurationError: its header is wrong; the message names the question and the line.
    """
    head: dict[str, str] = {}
    parameters: list[Parameter] = []
    lines = text.splitlines()
    count = 0
    for line in lines:
        if not line.startswith("--"):
            break
        count += 1
        if line.startswith(_CONTINUED):
            head["description"] += " " + line.removeprefix(_CONTINUED).strip()
            continue
        match = _FIELD.fullmatch(line)
        if match is None:
            raise ConfigurationError(f"question {name}, line {count}: cannot read {line!r}")
        if match["parameter"]:
            parameters.append(_parameter(name, match["parameter"], match["text"]))
        else:
            head[match[1]] = match["text"]
    if set(head) != {"title", "description"}:
        raise ConfigurationError(f"question {name}: a title and a description are wanted")
    sql, _, within = "\n".join(lines[count:]).partition(_WITHIN)
    return Question(
        name, head["title"], head["description"], tuple(parameters), sql, within or None
    )


def _parameter(question: str, declared: str, text: str) -> Parameter:
    match = _PARAMETER.fullmatch(declared)
    if match is None:
        raise ConfigurationError(f"question {question}: cannot read parameter {declared!r}")
    default = match["default"]
    return Parameter(
        name=match["name"],
        type=match["type"],
        help=text,
        required=default is None,
        default=_NOTHING.get(default, default) if default is not None else None,
    )
