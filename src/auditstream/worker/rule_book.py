"""The rules in force: read at the start, and again whenever a file of theirs changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import structlog

from auditstream.contract.catalogue import Severity
from auditstream.errors import AuditStreamError
from auditstream.pipeline.pipeline import Pipeline
from auditstream.rules.files import RulesWatcher
from auditstream.rules.levels import from_level
from auditstream.rules.load import load_rules
from auditstream.rules.rule import RuleSet
from auditstream.store.connection import Store
from auditstream.worker.correlator import Correlator

log = structlog.get_logger("auditstream.rules")


@dataclass(frozen=True)
class InForce:
    """The pipeline with the rules of single events, and those over several events."""

    pipeline: Pipeline
    correlator: Correlator


class RuleBook:
    """Reads the rules of a directory beside the built-in ones of `builtin_level` and above.

    What is wrong with a rule leaves that rule out, and is among the `errors`: by file and line,
    what is wrong there. So is what ClickHouse said to a rule that it refused when it was asked
    last. Methods block for as long as reading and compiling takes.

    Raises:
        ConfigurationError: there is no such directory when it is made.
    """

    def __init__(
        self,
        directory: Path | None,
        pipeline: Pipeline,
        store: Store,
        builtin_level: Severity = "informational",
    ) -> None:
        self._directory = directory
        self._level = builtin_level
        self._store = store
        self._pipeline = pipeline
        self._watcher = RulesWatcher(directory) if directory else None
        self._errors: dict[str, str] = {}
        self.in_force = self._compile(self._read())

    @property
    def errors(self) -> dict[str, str]:
        """What is wrong, by file; callable from any thread."""
        return self._errors | self.in_force.correlator.errors

    def changed(self) -> InForce | None:
        """Return the rules anew when a file has changed since they were read, else None.

        A directory that cannot be read leaves the rules as they are.
        """
        if self._watcher is None or not self._watcher.changed():
            return None
        try:
            self.in_force = self._compile(self._read())
        except AuditStreamError as error:
            self._errors = {str(self._directory): str(error)}
            log.exception("rules_not_read", error=str(error))
            return None
        return self.in_force

    def _read(self) -> RuleSet:
        found = load_rules(self._directory, catalogue=self._pipeline.catalogue, strict=False)
        for problem in found.problems:
            log.error("rule_left_out", file=problem.file, line=problem.line, error=problem.message)
        self._errors = {
            f"{problem.file}:{problem.line}": problem.message for problem in found.problems
        }
        count = len(found.rules) + len(found.correlations.rules)
        log.info("rules_in_force", rules=count, left_out=len(found.problems))
        return from_level(found, self._level)

    def _compile(self, rules: RuleSet) -> InForce:
        correlator = Correlator(self._store, rules)
        return InForce(self._pipeline.with_rules(rules.rules, correlator.watched), correlator)
