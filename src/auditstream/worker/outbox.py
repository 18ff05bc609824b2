"""Alerts and rejected events on their topics, acknowledged before the watermark moves past them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any, Final

import fastavro
import polars as pl
import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from auditstream.alerts.topic import encode_alert
from auditstream.contract.alert import Alert
from auditstream.contract.schemas import frame, parsed_schema, shipped_id
from auditstream.kafka_config import kafka_config
from auditstream.settings import Settings
from auditstream.worker.metrics import metrics

log = structlog.get_logger("auditstream.outbox")

POLL_SECONDS: Final = 0.005
RETRY_SECONDS: Final = 1.0
NEVER_TAKEN: Final = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_TIMESTAMP,
}


class Outbox:
    """Sends alerts and rejects; a send is repeated until Kafka has acknowledged every record.

    A record may stand on its topic twice after a failure: alerts carry their id, rejects their
    topic, partition and offset, by which a reader drops the repeat.
    """

    def __init__(self, settings: Settings) -> None:
        self._alerts_topic = settings.alerts_topic
        self._rejected_topic = settings.rejected_topic
        self._config = kafka_config(settings) | {
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "zstd",
            "linger.ms": 2,
            "message.max.bytes": 4 * settings.max_event_bytes,
            "queue.buffering.max.kbytes": 128 * 1024,
        }
        self._producer = Producer(self._config)

    async def send(self, alerts: Sequence[Alert], rejects: pl.DataFrame) -> None:
        """Send a fetch's alerts, then its rejects; returns when all are acknowledged.

        Does not block the event loop. Waits while Kafka is away.
        """
        await self._send_all(await asyncio.to_thread(self._encoded, alerts))
        rejects = rejects.with_columns(pl.col("kafka_timestamp").to_physical())
        for part in rejects.iter_slices(100):
            await self._send_all([self._reject_record(row) for row in part.iter_rows(named=True)])

    def _encoded(self, alerts: Sequence[Alert]) -> list[_Record]:
        return [(self._alerts_topic, *encode_alert(alert)) for alert in alerts]

    async def _send_all(self, records: Iterable[_Record]) -> None:
        waiting = list(records)
        while waiting:
            waiting = await self._attempt(waiting)
            if waiting:
                await asyncio.sleep(RETRY_SECONDS)

    async def _attempt(self, records: list[_Record]) -> list[_Record]:
        """Send the records once; returns those that were not acknowledged."""
        answered: list[tuple[_Record, KafkaError | None]] = []
        sent = 0
        failed: list[_Record] = []
        for record in records:
            topic, key, value, headers = record

            def on_delivery(error: KafkaError | None, _: Message, record: _Record = record) -> None:
                answered.append((record, error))

            try:
                self._producer.produce(
                    topic, value, key, headers=dict(headers), on_delivery=on_delivery
                )
            except BufferError:
                failed.append(record)
            except KafkaException as refusal:
                self._refused(record, refusal.args[0], failed)
            else:
                sent += 1
        while len(answered) < sent:
            self._producer.poll(0)
            await asyncio.sleep(POLL_SECONDS)
        for record, error in answered:
            if error is not None:
                self._refused(record, error, failed)
        return failed

    def _refused(self, record: _Record, error: KafkaError, failed: list[_Record]) -> None:
        """Send a record again, but for a reject that Kafka will never take: that is in the table.

        A producer that has failed for good is replaced.
        """
        log.error("send_failed", topic=record[0], error=str(error))
        if error.fatal():
            self._producer = Producer(self._config)
        if error.code() in NEVER_TAKEN and record[0] == self._rejected_topic:
            metrics.rejects_not_sent.inc()
        else:
            failed.append(record)

    def _reject_record(self, row: dict[str, Any]) -> _Record:
        datum = BytesIO()
        record = {
            "topic": row["kafka_topic"],
            "partition": row["kafka_partition"],
            "offset": row["kafka_offset"],
            "stream": row["stream"],
            "timestamp": row["kafka_timestamp"],
            "key": row["key"],
            "value": row["value"],
            "reason": row["reason"],
            "field": row["field"],
            "message": row["message"],
            "event_id": row["event_id"],
            "rejected_at": row["rejected_at"],
        }
        fastavro.schemaless_writer(datum, parsed_schema("rejected_event"), record)
        value = frame(shipped_id("rejected_event"), datum.getvalue())
        return self._rejected_topic, row["key"], value, []


_Record = tuple[str, bytes | None, bytes, list[tuple[str, bytes]]]
