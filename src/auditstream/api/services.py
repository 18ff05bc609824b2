"""What every request of the endpoint uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import HTTPConnection

from auditstream.api.cursors import Cursors
from auditstream.api.explorer.session import Sessions
from auditstream.api.rate import Limiter
from auditstream.api.read_ahead import ReadAhead
from auditstream.api.recorder import Recorder
from auditstream.api.threads import Threads
from auditstream.api.verify import Verifier
from auditstream.contract.catalogue import Catalogue, load_catalogue, shipped_catalogue
from auditstream.publish.audit_log import AuditLog
from auditstream.settings import Settings
from auditstream.store.connection import Store, connect
from auditstream.store.read_near import Paces
from auditstream.store.snapshot import Snapshots
from auditstream.store.tokens import read_tokens
from auditstream.store.watermark import table_identity

SERVICE: Final = "auditstream-api"
FAILURES_PER_MINUTE: Final = 30
"""Wrong credentials from one address, each of which costs an argon2 verification."""


@dataclass(frozen=True)
class Services:
    """The store, the way to audit accesses, and the guards at the door."""

    settings: Settings
    store: Store
    audit: AuditLog
    recorder: Recorder
    verifier: Verifier
    cursors: Cursors
    snapshots: Snapshots
    paces: Paces
    ahead: ReadAhead
    requests: Limiter
    failures: Limiter
    sessions: Sessions
    catalogue: Catalogue
    threads: Threads


def make_services(settings: Settings, audit: AuditLog | None = None) -> Services:
    """Connect what the settings name, without asking any server; `audit` stands in for one's own.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    store = connect(settings)
    cursors = Cursors(lambda: _key(settings, store))
    audit = audit or _audit_log(settings)
    return Services(
        settings,
        store,
        audit,
        Recorder(audit),
        Verifier(lambda: read_tokens(store)),
        cursors,
        Snapshots(store),
        Paces(),
        ReadAhead(cursors),
        Limiter(settings.api_requests_per_minute),
        Limiter(FAILURES_PER_MINUTE),
        Sessions(lambda: _key(settings, store)),
        load_catalogue(settings.catalogue_file) if settings.catalogue_file else shipped_catalogue(),
        Threads(),
    )


def services_of(connection: HTTPConnection) -> Services:
    """Return the services of the app that a request has reached."""
    services: Any = connection.app.state.services
    if not isinstance(services, Services):
        raise TypeError("the app was not made by make_api")
    return services


def _key(settings: Settings, store: Store) -> bytes:
    # The identity is random, the same for all processes at the table, and shown to no client.
    if settings.api_secret is not None:
        return settings.api_secret.get_secret_value().encode()
    return table_identity(store).encode()


def _audit_log(settings: Settings) -> AuditLog:
    password = settings.kafka_password
    return AuditLog(
        service=SERVICE,
        kafka_brokers=settings.kafka_brokers,
        kafka_security_protocol=settings.kafka_security_protocol,
        kafka_sasl_mechanism=settings.kafka_sasl_mechanism,
        kafka_username=settings.kafka_username,
        kafka_password=None if password is None else password.get_secret_value(),
        kafka_ca_file=settings.kafka_ca_file,
        schema_registry_url=settings.schema_registry_url,
        events_topic=settings.events_topic,
        catalogue_file=settings.catalogue_file,
        durability="disk",
    )
