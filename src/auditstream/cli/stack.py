"""Everything auditstream consists of, on this machine: for `demo` and `up`."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from pydantic import SecretStr

from auditstream.alerts.records import count_ahead
from auditstream.alerts.topics import ensure_topics
from auditstream.cli.child import Child
from auditstream.cli.target import catalogue_of
from auditstream.embedded import Broker, ClickHouse
from auditstream.errors import AuditStreamError
from auditstream.notifier_settings import NotifierSettings, as_json
from auditstream.settings import CONFIG_VARIABLE, PREFIX, Settings
from auditstream.store.connection import connect
from auditstream.store.migrate import migrate

Report = Callable[[str], None]

SESSION_SECONDS: Final = 6.0
"""The embedded broker lets a joining group wait for half of it."""
SETTLE_SECONDS: Final = 20.0
POLL_SECONDS: Final = 0.2
STOPS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class ChildEndedError(AuditStreamError):
    """A process of the stack has ended by itself; the message carries the end of its log."""


@dataclass(frozen=True)
class Stack:
    """A stack that runs: settings that reach it, and the processes it consists of."""

    settings: Settings
    environment: dict[str, str]
    logs: Path
    broker: Broker
    clickhouse: ClickHouse
    worker: Child
    notifier: Child

    def check(self) -> None:
        """Raise ChildEndedError when a part of the stack has ended."""
        for child in (self.worker, self.notifier):
            if child.exit_code is not None:
                raise ended(child)
        for name, server in (("broker", self.broker), ("ClickHouse", self.clickhouse)):
            if server.pid is None:
                raise ChildEndedError(f"the {name} ended; its log is in {self.logs}")

    def settle(self) -> bool:
        """Wait until all that was published is stored; return whether it is, after 20 s at most.

        Raises ServiceUnavailableError when the broker has gone, ChildEndedError when another part.
        """
        topic, group = self.settings.events_topic, self.settings.consumer_group
        deadline = time.monotonic() + SETTLE_SECONDS
        while count_ahead(self.settings, topic, group):
            self.check()
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True


def ended(child: Child) -> ChildEndedError:
    """Return the error of a child that has ended by itself."""
    return ChildEndedError(
        f"the {child.name} ended with exit code {child.exit_code}; its log {child.log} "
        f"ends with:\n{child.tail()}"
    )


@contextmanager
def running_stack(
    directory: Path, base: Settings, report: Report, listener: socket.socket | None = None
) -> Iterator[Stack]:
    """Start broker, ClickHouse, worker and notifier on `directory`; stop them at the end.

    `base` gives what is not a matter of where the services are. `report` is told what is being
    done. Alerts are told with links to the endpoint that is to run on `listener`, if any. Tables in
    the directory are kept, topics are new each time. Blocks until all is up, and at the end until
    all has stopped, each for less than a minute.

    Raises:
        ServiceUnavailableError: a service does not start, with the end of its log.
    """
    logs = directory / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    broker = Broker(log_path=logs / "broker.log")
    clickhouse = ClickHouse(directory / "clickhouse", log_path=logs / "clickhouse.log")
    with ExitStack() as parts:
        report("starting the broker and ClickHouse")
        with ThreadPoolExecutor(2) as starters:
            starts = [starters.submit(part.start) for part in (broker, clickhouse)]
            parts.callback(broker.stop)
            parts.callback(clickhouse.stop)
        for start in starts:
            start.result()
        settings = local_settings(base, broker.bootstrap, clickhouse.url)
        if listener is not None:
            settings = served_settings(settings, *listener.getsockname())
        report("making topics and tables")
        ensure_topics(settings, settings.topic_partitions)
        with closing(connect(settings)) as store:
            migrate(store, settings.retention_days, catalogue_of(settings))
        report("starting the worker and the notifier")
        environment = environment_of(settings)
        worker, notifier = (
            parts.enter_context(Child(name, ["auditstream.cli", name], environment, logs))
            for name in ("worker", "notifier")
        )
        yield Stack(settings, environment, logs, broker, clickhouse, worker, notifier)


def local_settings(base: Settings, brokers: str, clickhouse_url: str) -> Settings:
    """Return `base` with the addresses of embedded services, which know no passwords."""
    return base.model_copy(
        update={
            "kafka_brokers": brokers,
            "kafka_security_protocol": "PLAINTEXT",
            "kafka_username": None,
            "kafka_password": None,
            "kafka_ca_file": None,
            "schema_registry_url": None,
            "clickhouse_url": clickhouse_url,
            "clickhouse_user": "default",
            "clickhouse_password": SecretStr(""),
            "session_timeout_seconds": SESSION_SECONDS,
            "metrics_port": 0,
        }
    )


def served_settings(base: Settings, host: str, port: int) -> Settings:
    """Return `base` with the address of its endpoint, to which alerts link."""
    url = base.explorer_url or f"http://{host}:{port}"
    return base.model_copy(update={"api_host": host, "api_port": port, "explorer_url": url})


def environment_of(settings: Settings) -> dict[str, str]:
    """Return this process's environment with exactly these settings in it."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(PREFIX) and name != CONFIG_VARIABLE
    }
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if isinstance(value, NotifierSettings):
            value = as_json(value)
        if isinstance(value, Path):
            value = value.absolute()
        if value is not None:
            environment[f"{PREFIX}{name.upper()}"] = str(value)
    return environment


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn SIGTERM, SIGINT and SIGHUP into one KeyboardInterrupt; what follows it is ignored.

    So the first one makes every `with` block clean up, and a second one does not cut that short.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        for stop in STOPS:
            signal.signal(stop, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {stop: signal.signal(stop, interrupt) for stop in STOPS}
    try:
        yield
    finally:
        for stop, handler in before.items():
            signal.signal(stop, handler)
