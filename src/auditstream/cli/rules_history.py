"""What commands that try a rule over the stored history have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from auditstream.cli.alerts_options import moment_before
from auditstream.cli.rule_files import Chosen, chosen
from auditstream.cli.target import target

if TYPE_CHECKING:
    from auditstream.settings import Settings
    from auditstream.store.connection import Store

SinceOption: TypeAlias = Annotated[
    str, typer.Option("--since", help="From 30d or 12h ago on, or from a time on.")
]
UntilOption: TypeAlias = Annotated[
    str | None, typer.Option("--until", help="Until 12h ago, or a time; without it: now.")
]


@dataclass(frozen=True)
class Trial:
    """A rule, and the time for whose hits it is tried: from `since` until before `until`."""

    meant: Chosen
    since: datetime
    until: datetime
    now: datetime
    settings: Settings

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Connect to the history, and wait for answers as long as they may take."""
        from auditstream.store.connection import connect
        from auditstream.worker.backtest import MAX_SECONDS

        patient = self.settings.model_copy(update={"append_timeout_seconds": MAX_SECONDS})
        with closing(connect(patient)) as store:
            yield store


def trial(
    rule: str, since: str, until: str | None, *, url: str | None, brokers: str | None = None
) -> Trial:
    """Return the trial that arguments mean.

    Raises:
        RuleError: the file has something wrong.
        ConfigurationError, ContractError: a setting or the catalogue is wrong.
    """
    from auditstream.worker.backtest import settled

    settings = target(url=url, brokers=brokers)
    now = datetime.now(UTC)
    start = moment_before(since, now)
    end = moment_before(until, now) if until else now
    if start >= end:
        raise typer.BadParameter("it is not before --until", param_hint="--since")
    meant = chosen(rule, settings)
    end = settled(meant.rules, meant.name, end, now)
    return Trial(meant, start, end, now, settings)
