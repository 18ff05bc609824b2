"""Schema ids: of a registry where one is configured, the shipped ones elsewhere."""

from __future__ import annotations

import json
import socket
import sys

import pytest

from auditstream.contract.schemas import FRAME, shipped_id, shipped_schemas
from auditstream.embedded.broker import Broker
from auditstream.embedded.ports import free_port
from auditstream.errors import ConfigurationError, ContractError
from auditstream.publish.registry import registry_ids, shipped_ids
from tests.publish.conftest import NewAuditLog
from tests.publish.emission import emit
from tests.publish.registry_server import running_registry
from tests.publish.topic import read_values
from tests.stack.poll import eventually

SCHEMA = json.dumps(shipped_schemas()[shipped_id("audit_event")])


def test_shipped_id() -> None:
    """Without a registry, a released schema has its fixed id; another is an error."""
    assert shipped_ids("audit.events", SCHEMA) == shipped_id("audit_event")
    with pytest.raises(ContractError, match="Other"):
        shipped_ids("audit.events", '{"type": "record", "name": "Other", "fields": []}')


def test_registered_under_the_subject_of_the_topic(
    broker: Broker, new_audit_log: NewAuditLog
) -> None:
    """The schema is looked up, registered, and its id stands in every frame."""
    with running_registry() as registry:
        audit = new_audit_log(broker.bootstrap, schema_registry_url=registry.url)
        emit(audit, 20)
        assert audit.flush(30)
        other = new_audit_log(broker.bootstrap, schema_registry_url=registry.url)
        emit(other, 20)
        assert other.flush(30)
    values = read_values(broker.bootstrap, 40)
    assert {FRAME.unpack_from(value) for value in values} == {(0, 40_000)}
    look_up, register = "/subjects/audit.events-value", "/subjects/audit.events-value/versions"
    assert registry.requests == [look_up, register, look_up]
    ((_, schema),) = registry.schemas
    assert json.loads(schema) == json.loads(SCHEMA)


def test_registry_that_is_away(broker: Broker, new_audit_log: NewAuditLog) -> None:
    """Events are accepted while the registry is away, and framed when it is back."""
    port = free_port()
    audit = new_audit_log(broker.bootstrap, schema_registry_url=f"http://127.0.0.1:{port}")
    emit(audit, 20)
    eventually(
        lambda: "schema registry" in (audit.stats().last_error or ""), within=20, what="the error"
    )
    assert audit.stats().spooled == 20
    with running_registry(port):
        assert audit.flush(30)
    assert len(read_values(broker.bootstrap, 20)) == 20


def test_registry_that_hangs(new_audit_log: NewAuditLog) -> None:
    """A registry that never answers holds neither `emit` nor `close` up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        audit = new_audit_log("127.0.0.1:1", schema_registry_url=url)
        emit(audit, 20)
        audit.close(0)
    assert audit.stats().spooled == 20


def test_client_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry without its client is told at the start, with the extra to install."""
    monkeypatch.setitem(sys.modules, "confluent_kafka.schema_registry", None)
    with pytest.raises(ConfigurationError, match=r"auditstream\[registry\]"):
        registry_ids("http://127.0.0.1:8081")


def test_wrong_url() -> None:
    """A URL that is none is told by the setting's name."""
    with pytest.raises(ConfigurationError, match="AUDITSTREAM_SCHEMA_REGISTRY_URL"):
        registry_ids("kafka:8081")
