"""A worker is told before its start that Kafka does not answer."""

from __future__ import annotations

import pytest

from auditstream.embedded.ports import free_port
from auditstream.errors import ServiceUnavailableError
from auditstream.settings import Settings
from auditstream.worker.reach import reach_kafka


def test_nobody_listens() -> None:
    """Without a broker the error names the address and why."""
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ServiceUnavailableError, match=f"{address} does not answer: .*refused"):
        reach_kafka(Settings(kafka_brokers=address), within=1.0)
