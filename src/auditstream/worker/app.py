"""The Faust app: the stream of record batches, the agents, the end."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Any

import faust
import structlog
from faust.types.auth import CredentialsT
from mode import Service

from auditstream.alerts.topic import AlertRecordError, decode_alert
from auditstream.settings import Settings
from auditstream.worker.intake import Intake
from auditstream.worker.metrics import metrics

log = structlog.get_logger("auditstream.worker")


def make_app(settings: Settings, intake: Intake, datadir: str) -> faust.App:
    """Build the app: the events topic is its stream, the alerts topic has an agent."""
    app = faust.App(
        f"{settings.consumer_group}-agents",
        broker=[f"kafka://{broker.strip()}" for broker in settings.kafka_brokers.split(",")],
        broker_credentials=broker_credentials(settings),
        broker_session_timeout=settings.session_timeout_seconds,
        broker_rebalance_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=settings.session_timeout_seconds / 10,
        datadir=datadir,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
        logging_config={"version": 1, "disable_existing_loggers": False},
    )
    alerts = app.topic(settings.alerts_topic, value_type=bytes, value_serializer="raw")

    @app.agent(alerts)
    async def observe_alerts(values: Any) -> None:
        """Measure how long an alert takes from its detection to its readers."""
        async for value in values:
            try:
                alert = decode_alert(value)
            except AlertRecordError as error:
                log.warning("no_alert", topic=settings.alerts_topic, error=str(error))
                continue
            metrics.alert_latency_seconds.observe(
                max((datetime.now(UTC) - alert.detected_at).total_seconds(), 0.0)
            )

    @app.task  # type: ignore[untyped-decorator]
    async def store_events() -> None:
        """Take every fetch of the events topic in, until the source ends."""
        async for fetch in app.stream(intake.source):
            await intake.take(fetch)

    @app.task  # type: ignore[untyped-decorator]
    async def watch_clock() -> None:
        """Evaluate the rules that tell what has not happened."""
        await intake.watch_clock()

    @app.task  # type: ignore[untyped-decorator]
    async def watch_events() -> None:
        """Evaluate rules over several events after appends."""
        await intake.watch_events()

    @app.task  # type: ignore[untyped-decorator]
    async def watch_rules() -> None:
        """Take changed rules into force."""
        await intake.watch_rules()

    @app.on_before_shutdown.connect
    async def drain(*_: Any, **__: Any) -> None:
        await intake.stop()

    return app


class Reading(Service):
    """Joins the group of the events topic before Faust joins its own: both take their time."""

    def __init__(self, intake: Intake) -> None:
        super().__init__()
        self._intake = intake

    async def on_start(self) -> None:
        """Begin to read; what is read waits until the app takes it."""
        await self._intake.start()

    async def on_stop(self) -> None:
        """Leave the group, if the app has not come so far as to do it."""
        await self._intake.stop()


def broker_credentials(settings: Settings) -> CredentialsT | None:
    """Return the credentials for Faust's own connections, None for a plain one."""
    protocol = settings.kafka_security_protocol
    context = None
    if protocol.endswith("SSL"):
        cafile = str(settings.kafka_ca_file) if settings.kafka_ca_file else None
        context = ssl.create_default_context(cafile=cafile)
    if protocol.startswith("SASL"):
        password = settings.kafka_password
        return faust.SASLCredentials(
            username=settings.kafka_username,
            password=password.get_secret_value() if password else None,
            ssl_context=context,
            mechanism=settings.kafka_sasl_mechanism,
        )
    return faust.SSLCredentials(context=context) if context else None
