"""Apache Kafka: one node, broker and controller in one."""

from __future__ import annotations

import base64
import subprocess
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.stack import cache
from tests.stack.containers import Container, local_docker
from tests.stack.errors import PrerequisiteError, StackError
from tests.stack.ports import free_port
from tests.stack.process import Process
from tests.stack.server import Runner, Server

IMAGE = f"apache/kafka:{cache.KAFKA_VERSION}"
HEAP = ("-Xms512m", "-Xmx1g")
YOUNG = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""A broker that lives for a minute: optimising its code would take the processors of what is tested
all the while."""
MESSAGE_MAX_BYTES = 4 * 1024 * 1024
FORMAT_SECONDS = 60.0
LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
)


class KafkaServer(Server):
    """An Apache Kafka of its own on `directory`: in Docker if there is one, else on this Java.

    Records up to 4 MiB; topics are made by request only. Raises PrerequisiteError when it can
    be had in neither way.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        port = free_port()
        runner = _container(port) if local_docker() else _process(directory, port)
        super().__init__("Apache Kafka", directory, port, runner)

    @property
    def bootstrap(self) -> str:
        """`host:port`, for a client's `bootstrap.servers`."""
        return f"127.0.0.1:{self.port}"

    def _serves(self) -> bool:
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        try:
            return bool(client.list_topics(timeout=1.0).brokers)
        except KafkaException:
            return False


def properties(port: int, controller_port: int, listen: str) -> dict[str, str]:
    """Return the broker's configuration, without its data directory."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{listen}:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "message.max.bytes": str(MESSAGE_MAX_BYTES),
        "auto.create.topics.enable": "false",
        # A broker started again after SIGKILL waits until the session of its former self expires.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.num.partitions": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
    }


def _process(directory: Path, port: int) -> Runner:
    java = ["java", "-cp", f"{cache.kafka_jars()}/*", *LOGGING]
    settings = properties(port, free_port(), "127.0.0.1") | {"log.dirs": str(directory / "data")}
    config = directory / "server.properties"
    config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    tool = [*java, "kafka.tools.StorageTool", "format", "-t", _cluster_id(), "-c", str(config)]
    _format(tool, directory)
    command = [*java, *HEAP, *YOUNG, "kafka.Kafka", str(config)]
    return Process(command, log=directory / "kafka.log", cwd=directory)


def _format(command: list[str], directory: Path) -> None:
    done = subprocess.run(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=FORMAT_SECONDS,
        check=False,
    )
    if "UnsupportedClassVersionError" in done.stderr:
        raise PrerequisiteError("the `java` on the PATH is too old: Apache Kafka needs Java 17")
    if done.returncode != 0:
        raise StackError(f"Apache Kafka cannot format {directory}:\n{done.stdout}{done.stderr}")


def _container(port: int) -> Runner:
    # The port is the same inside, so that the broker reaches itself under the advertised address.
    settings = properties(port, free_port(), "0.0.0.0")  # noqa: S104 - of the container
    environment = {f"KAFKA_{name.upper().replace('.', '_')}": settings[name] for name in settings}
    environment |= {"CLUSTER_ID": _cluster_id(), "KAFKA_HEAP_OPTS": " ".join(HEAP)}
    return Container(IMAGE, port=port, inner_port=port, environment=environment)


def _cluster_id() -> str:
    # A cluster id may not begin with a dash, which a command line would take for an option.
    encoded = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return encoded.replace("-", "A", 1) if encoded.startswith("-") else encoded
