"""The door of the SDK: AuditLog."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Unpack

from auditstream.contract.catalogue import Catalogue, load_catalogue, shipped_catalogue
from auditstream.contract.check import check_event
from auditstream.errors import ClosedError, InvalidEventError
from auditstream.publish import sessions
from auditstream.publish.actions import Actions
from auditstream.publish.capture import current_capture
from auditstream.publish.config import SettingsArguments, load_publish_settings
from auditstream.publish.context import current_audit_context
from auditstream.publish.disk_spool import SpoolDamagedError
from auditstream.publish.envelope import Envelope, build_envelope, normal_envelope
from auditstream.publish.registry import registry_ids, shipped_ids
from auditstream.publish.session import Session
from auditstream.publish.spool_dir import has_spools
from auditstream.publish.stats import Counters, Stats
from auditstream.publish.values import Common, Entity, Group, Member, Workspace

_ANY_SOURCE: Final = {"service": "any", "epoch": 0, "sequence": 1}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class AuditLog(Actions):
    """Publishes the audit events of a service. One for a process; all its threads may use it.

    `emit`, or the method named after an action, checks the event, keeps it as safe as the setting
    `durability` says, and returns; a thread sends it to Kafka. Nothing waits for the broker.

        audit = AuditLog(service="billing")
        audit.connection_created(
            workspace=Workspace("w1", "acme"), connection=Ref("c1", "warehouse"), actor=Actor("u1")
        )

    Settings are those of `PublishSettings`: arguments, else AUDITSTREAM_… in the environment,
    else defaults. The spool is opened at the first event or by `start`, or at once if an ended
    process has left events there, which are then sent first. The child of a fork begins anew by
    itself. When the interpreter exits, what waits is sent for `close_seconds` at most.

    `catalogue` stands in for the shipped catalogue, `clock` for the time (aware datetimes).

    Raises:
        ConfigurationError: a setting is missing or wrong.
        ContractError: the catalogue file is wrong.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue | None = None,
        clock: Callable[[], datetime] = _utc_now,
        **settings: Unpack[SettingsArguments],
    ) -> None:
        self._settings = load_publish_settings(**settings)
        file, url = self._settings.catalogue_file, self._settings.schema_registry_url
        self.catalogue = catalogue or (load_catalogue(file) if file else shipped_catalogue())
        self._schema_ids = registry_ids(url) if url else shipped_ids
        self._clock = clock
        self._session: Session | None = None
        self._counters = Counters()
        self._closed = False
        if has_spools(self._settings.spool_dir):
            self.start()

    def emit(
        self,
        action: str,
        *,
        workspace: Workspace | None = None,
        entity: Entity | None = None,
        member: Member | None = None,
        group: Group | None = None,
        role: str | None = None,
        previous_role: str | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish an event of any action of the catalogue; return its id.

        What is not given is taken from the audit context: workspace, actor and what of the actor
        is None, correlation, causation and request id. `entity` may be left out where it is the
        workspace itself. `event_id` is a new UUID of version 7 unless given: give one to make a
        repeated call harmless. `occurred_at` (aware) is now unless given. Does not wait for the
        broker. Not to be called from a signal handler.

        Raises:
            InvalidEventError: lists everything that is wrong with the event.
            SpoolFullError: the broker has been away for so long that the spool is full.
            ConfigurationError: the spool directory cannot be used.
            PublishError: the spool's disk does not work.
            ClosedError: the AuditLog was closed.
        """
        envelope = build_envelope(
            self.catalogue,
            current_audit_context(),
            self._clock(),
            action,
            workspace=workspace,
            entity=entity,
            member=member,
            group=group,
            role=role,
            previous_role=previous_role,
            common=common,
        )
        return self.emit_envelope(envelope)

    def emit_envelope(self, event: Mapping[str, Any]) -> str:
        """Publish an event that is a datum of `schemas/audit_event.avsc`; return its id.

        `occurred_at` is microseconds since 1970 or an aware datetime. A `source` is replaced by
        this one. The audit context is not looked at. Raises as `emit` does.
        """
        problems = check_event({**event, "source": _ANY_SOURCE}, self.catalogue, self._clock())
        if problems:
            raise InvalidEventError(str(event.get("action")), problems)
        envelope = normal_envelope(event)
        capture = current_capture()
        if capture is not None:
            capture.accept(self._settings, envelope)
        else:
            self._accept(envelope)
        event_id: str = envelope["event_id"]
        return event_id

    def start(self) -> None:
        """Open the spool and start to send; call it at start-up to hear of a wrong setting early.

        Blocks for some milliseconds, not for the broker. Raises ConfigurationError when the spool
        directory cannot be used, ClosedError after `close`.
        """
        self._running()

    def flush(self, timeout: float) -> bool:
        """Wait until the broker has acknowledged everything; return whether it did in time.

        Blocks for at most `timeout` seconds.
        """
        session = self._current()
        return session is None or session.flush(timeout)

    def close(self, timeout: float | None = None) -> None:
        """Send what waits for at most `timeout` seconds (default `close_seconds`), then end.

        What is left waits on disk for the next process that uses the spool directory; with
        durability "memory" it is lost, and an error in the log says how much. May be called again.
        """
        self._closed = True
        session = self._current()
        if session is not None:
            with sessions.guard:
                sessions.forget(session)
            session.close(self._settings.close_seconds if timeout is None else timeout)

    def stats(self) -> Stats:
        """Return counts of this process; does not block."""
        session = self._current()
        return Stats() if session is None else session.stats()

    def __enter__(self) -> AuditLog:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _accept(self, envelope: Envelope) -> None:
        session = self._running()
        try:
            session.accept(envelope)
        except SpoolDamagedError as damage:
            with sessions.guard:
                if self._session is session:
                    sessions.forget(session)
                    session.set_aside(damage)
                    self._session = None
            self._running().accept(envelope)
        except ClosedError:
            # Another thread has closed this log, or has replaced a damaged spool.
            self._running().accept(envelope)

    def _current(self) -> Session | None:
        session = self._session
        return session if session is not None and session.pid == os.getpid() else None

    def _running(self) -> Session:
        session = self._current()
        if session is not None and not self._closed:
            return session
        with sessions.guard:
            if self._closed:
                raise ClosedError(f"the AuditLog of {self._settings.service} was closed")
            session = self._current()
            if session is None:
                if self._session is not None:  # the parent's, from before the fork
                    self._counters = Counters()
                session = Session(self._settings, self._schema_ids, self._counters)
                self._session = session
                sessions.remember(session, self._settings.close_seconds)
            return session
