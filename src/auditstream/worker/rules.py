"""The rules by which a worker judges events, exchanged while it runs when their files change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from auditstream.contract.catalogue import Catalogue
from auditstream.errors import AuditStreamError
from auditstream.rules.files import RulesWatcher
from auditstream.rules.load import load_rules
from auditstream.rules.rule import RuleProblem, RuleSet

log = structlog.get_logger("auditstream.rules")

POLL_SECONDS: Final = 2.0


class RulesInForce:
    """Rules of a directory beside the built-in ones; those that are wrong are left out and told.

    Raises:
        ConfigurationError: there is no such directory.
    """

    def __init__(self, directory: Path | None, catalogue: Catalogue) -> None:
        self._directory = directory
        self._catalogue = catalogue
        # Before the files are read: what changes meanwhile is seen at the first look.
        self._watcher = None if directory is None else RulesWatcher(directory)
        self._refusal: dict[str, str] = {}
        self.rules = self._load()

    def errors(self) -> Mapping[str, str]:
        """Return what is wrong, by file: the lines with their messages. Callable on any thread."""
        return told(self.rules.problems) | self._refusal

    def look(self, use: Callable[[RuleSet], None]) -> bool:
        """Take changed rules into force by `use`; returns whether there were any.

        What cannot be read or used at all leaves the rules in force that are. Blocks while files
        are read and rules are compiled.
        """
        try:
            if self._watcher is None or not self._watcher.changed():
                return False
            rules = self._load()
            use(rules)
        except (AuditStreamError, OSError) as error:
            log.exception("rules_not_taken", error=str(error))
            self._refusal = {str(self._directory): f"{error}; the rules before stay in force"}
            return False
        self.rules, self._refusal = rules, {}
        log.info("rules_taken", rules=len(rules.rules), compound=len(rules.correlations.rules))
        return True

    def follow(self, use: Callable[[RuleSet], None], stop: threading.Event) -> None:
        """Look every two seconds until `stop` is set; blocks until then."""
        while not stop.wait(POLL_SECONDS):
            self.look(use)

    def _load(self) -> RuleSet:
        rules = load_rules(self._directory, catalogue=self._catalogue, strict=False)
        for problem in rules.problems:
            log.error("rule_left_out", file=problem.file, line=problem.line, error=problem.message)
        return rules


def told(problems: Sequence[RuleProblem]) -> dict[str, str]:
    """Return what is wrong by file, each problem with its line."""
    by_file: dict[str, list[str]] = {}
    for problem in problems:
        by_file.setdefault(problem.file, []).append(f"line {problem.line}: {problem.message}")
    return {file: "; ".join(lines) for file, lines in by_file.items()}
