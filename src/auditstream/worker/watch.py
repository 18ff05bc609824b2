"""Watching over auditstream itself: its health, and a canary event through the whole path."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from auditstream.alerts.canary import Canary
from auditstream.alerts.health import CANARY, Bounds, HealthMonitor
from auditstream.publish.audit_log import AuditLog
from auditstream.publish.values import Actor, Ref, Workspace
from auditstream.settings import Settings
from auditstream.store.connection import Store
from auditstream.worker.intake import Intake
from auditstream.worker.rule_book import RuleBook

log = structlog.get_logger("auditstream.watch")


@contextmanager
def watched(settings: Settings, store: Store, intake: Intake, rules: RuleBook) -> Iterator[None]:
    """Measure health, and send canaries where the settings say so, while the block runs.

    Every worker of a group does; what several of them find is one alert, since the ids are those
    of rule and hour.
    """
    stop = threading.Event()
    threads = []
    if settings.health_seconds:
        bounds = Bounds(
            silent_seconds=settings.silent_seconds,
            lag_records=settings.max_lag_records,
            interval_seconds=settings.health_seconds,
        )
        monitor = HealthMonitor(
            store,
            intake.raise_alerts,
            bounds,
            lag=lambda: {settings.events_topic: intake.source.lag},
            errors=lambda: rules.errors,
            say=lambda text: log.warning("health_unknown", error=text),
        )
        threads.append(threading.Thread(target=monitor.run, args=(stop,), daemon=True))
    if settings.canary_seconds:
        canary = Canary(
            store,
            _Emitter(settings),
            intake.raise_alerts,
            every_seconds=settings.canary_seconds,
            say=lambda text: log.warning("canary_failed", error=text),
        )
        threads.append(threading.Thread(target=canary.run, args=(stop,), daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()


class _Emitter:
    """Publishes a canary; its producer is made with the first."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log: AuditLog | None = None

    def __call__(self) -> str:
        if self._log is None:
            self._log = AuditLog(
                service=CANARY,
                kafka_brokers=self._settings.kafka_brokers,
                events_topic=self._settings.events_topic,
                durability="memory",
            )
        return self._log.audit_log_accessed(
            workspace=Workspace(id=CANARY, username=CANARY),
            actor=Actor(type="system", id=CANARY),
            audit_log=Ref(id=CANARY),
        )
