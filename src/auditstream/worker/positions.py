"""Where reading a partition starts: past the watermark, else at the committed offset, else at 0."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

import structlog
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaException, TopicPartition

from auditstream.errors import ServiceUnavailableError
from auditstream.worker.assignment import Assignment
from auditstream.worker.metrics import metrics

log = structlog.get_logger("auditstream.positions")

ASK_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Ledger:
    """What the table knows of a stream.

    `table` identifies the table, so that one that was emptied or made anew is told from it;
    `watermarks` is the highest stored offset of each partition that has a row.
    """

    table: str
    watermarks: dict[int, int]


LedgerReader = Callable[[str], Ledger]
"""Returns the ledger of a stream; may block and raise AuditStreamError."""


class Positions:
    """Finds where partitions of one topic start; used on the consumer's own thread only.

    An offset is committed with the identity of stream and table: offsets of a topic that was
    made anew, or of rows that are gone, are no reason to skip a record.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._numbers = itertools.count(1)
        self._outside: set[tuple[str, int]] = set()

    def leave_log(self, assignment: Assignment) -> None:
        """Note that Kafka called the assignment's position outside the log."""
        self._outside.add((assignment.stream, assignment.partition))

    def find(
        self, consumer: Consumer, stream: str, ledger: Ledger, partitions: Iterable[int]
    ) -> list[Assignment]:
        """Return the assignments of the partitions that can start now; others are logged.

        Asks Kafka only for partitions without a row, and for those outside the log. Blocks for
        10 s at most for each question.

        Raises:
            ServiceUnavailableError: Kafka did not answer.
        """
        wanted = sorted(partitions)
        mark = _mark(stream, ledger.table)
        positions = {p: offset + 1 for p, offset in ledger.watermarks.items()}
        unknown = [TopicPartition(self._topic, p) for p in wanted if p not in positions]
        try:
            committed = consumer.committed(unknown, timeout=ASK_SECONDS) if unknown else []
        except KafkaException as error:
            raise ServiceUnavailableError(f"committed offsets cannot be read: {error}") from error
        for item in committed:
            if item.error is not None:
                raise ServiceUnavailableError(f"committed offset cannot be read: {item.error}")
            ours = item.offset >= 0 and item.metadata == mark
            positions[item.partition] = item.offset if ours else 0
        found = (
            self._inside_log(
                consumer,
                Assignment(
                    stream=stream,
                    partition=p,
                    number=next(self._numbers),
                    watermark=ledger.watermarks.get(p),
                    position=positions[p],
                    mark=mark,
                ),
            )
            for p in wanted
        )
        return [assignment for assignment in found if assignment is not None]

    def _inside_log(self, consumer: Consumer, assignment: Assignment) -> Assignment | None:
        """Move a position that lies before the log's start; None when it lies beyond its end."""
        key = assignment.stream, assignment.partition
        if key not in self._outside:
            return assignment
        place = TopicPartition(self._topic, assignment.partition, OFFSET_INVALID)
        try:
            low, high = consumer.get_watermark_offsets(place, timeout=ASK_SECONDS)
        except KafkaException as error:
            raise ServiceUnavailableError(f"the log's bounds cannot be read: {error}") from error
        if assignment.position > high:
            log.error(
                "log_ends_early",
                topic=self._topic,
                partition=assignment.partition,
                log_end=high,
                watermark=assignment.watermark,
                advice="Kafka has lost records that the table holds; the partition waits, since "
                "new records would be taken for stored ones. Make the topic anew, or delete it "
                "and publish what is missing again",
            )
            return None
        if assignment.position < low:
            log.error(
                "gap",
                topic=self._topic,
                partition=assignment.partition,
                first=assignment.position,
                last=low - 1,
                advice="Kafka deleted these records before they were read: lengthen the topic's "
                "retention, or start the worker sooner",
            )
            metrics.gap_records.inc(low - assignment.position)
        self._outside.discard(key)
        return replace(assignment, position=max(assignment.position, low))


def _mark(stream: str, table: str) -> str:
    return f"{stream}@{table}"
