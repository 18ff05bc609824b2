"""YAML documents, with the line on which each part of them stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import yaml

from auditstream.errors import RuleError

Path: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file the parts of a document stand."""

    origin: str
    lines: dict[Path, int] = field(repr=False)

    def line(self, path: Path) -> int:
        """Return the line of a part, or of what holds it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def fail(self, path: Path, message: str) -> NoReturn:
        """Raise RuleError with file and line of a part."""
        self.fail_at(self.line(path), message)

    def fail_at(self, line: int, message: str) -> NoReturn:
        """Raise RuleError with the file and a line."""
        raise RuleError(message, self.origin, line)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document of a file."""

    content: Any
    place: Place


def documents(text: str, origin: str) -> Iterator[Document]:
    """Read the documents of a YAML text one after another; `origin` names it in errors.

    Raises:
        RuleError: the text is not YAML, or a mapping has a key twice; names the line.
    """
    loader: Any = None
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_node():
            node = loader.get_node()
            lines: dict[Path, int] = {}
            _note(node, (), lines, origin)
            yield Document(loader.construct_document(node), Place(origin, lines))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RuleError(f"not YAML: {error.problem}", origin, line) from error
    except (yaml.YAMLError, ValueError) as error:
        raise RuleError(f"not YAML: {error}", origin) from error
    finally:
        if loader is not None:
            loader.dispose()


def _note(node: yaml.Node, path: Path, lines: dict[Path, int], origin: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, key.value)
            line = key.start_mark.line + 1
            if inner in lines:
                raise RuleError(f"{key.value} stands here twice", origin, line)
            lines[inner] = line
            _note(value, inner, lines, origin)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _note(item, (*path, number), lines, origin)
