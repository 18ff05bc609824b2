"""Rule files: where they are, what they hold, and whether they have changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import yaml

from auditstream.errors import ConfigurationError, RuleError

SUFFIXES: Final = (".yml", ".yaml")
PLACEHOLDERS: Final = frozenset({"placeholders.yml", "placeholders.yaml"})
"""Files of a directory of rules that hold values of placeholders: name to text or list of texts."""


def builtin_directory() -> Traversable:
    """Return the rules shipped with the package."""
    return files("auditstream.rules").joinpath("builtin")


def runbook_page(name: str) -> str | None:
    """Return the text of a shipped runbook, Markdown; None when there is none of that name."""
    page = files("auditstream.rules").joinpath("runbooks", f"{name}.md")
    known = re.fullmatch(r"[a-z_]{1,64}", name) is not None
    return page.read_text(encoding="utf-8") if known and page.is_file() else None


def own_directory(directory: Path) -> Traversable:
    """Return a directory of rules.

    Raises:
        ConfigurationError: there is no such directory.
    """
    if not directory.is_dir():
        raise ConfigurationError(f"AUDITSTREAM_RULES_DIR: there is no directory {directory}")
    return directory


def rule_files(directory: Traversable) -> Iterator[Traversable]:
    """Return the files *.yml and *.yaml of a directory and those within, by name."""
    for entry in sorted(directory.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from rule_files(entry)
        elif entry.name.endswith(SUFFIXES):
            yield entry


def read_file(file: Traversable) -> str:
    """Return the text of a file.

    Raises:
        RuleError: it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"cannot be read: {error}", str(file)) from error


def read_placeholders(text: str, origin: str) -> Mapping[str, tuple[str, ...]]:
    """Read the values of placeholders.

    Raises:
        RuleError: the text is not a mapping from names to texts or lists of texts.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RuleError(f"not YAML: {error}", origin) from error
    found = {}
    for name, given in (content or {}).items() if isinstance(content or {}, dict) else [("", 0)]:
        values = tuple(given) if isinstance(given, list) else (given,)
        if not isinstance(name, str) or not all(isinstance(value, str) for value in values):
            raise RuleError(f"{name}: a text or a list of texts is wanted", origin)
        found[name] = values
    return found


class RulesWatcher:
    """Tells whether the rules of a directory have changed, by the content of its files.

    Reads all files at each call; blocks no longer than that. A directory that is away counts as
    empty, so that its return is a change.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen = rules_digest(directory)

    def changed(self) -> bool:
        """Return whether a file was added, removed or changed since the last call."""
        before, self._seen = self._seen, rules_digest(self._directory)
        return self._seen != before


def rules_digest(directory: Path) -> str:
    """Return a hash of the names and contents of the rule files of a directory."""
    digest = hashlib.sha256()
    if directory.is_dir():
        for file in rule_files(directory):
            try:
                content = file.read_bytes()
            except OSError as error:
                content = str(error.errno).encode()
            for part in (str(file).encode(), content):
                digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
