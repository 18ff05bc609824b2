"""The broker and the ClickHouse that `auditstream demo` and `auditstream up` run on.

Both come from Python wheels and run as child processes on the loopback address: no Docker, no
Java, no configuration. They are for one machine; in production the same code is pointed at a
Kafka and a ClickHouse cluster by URL.
"""

from auditstream.embedded.broker import Broker
from auditstream.embedded.clickhouse import ClickHouse

__all__ = ["Broker", "ClickHouse"]
