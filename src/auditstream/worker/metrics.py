"""Metrics of the worker, for Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram


class Metrics:
    """Every metric of the worker; names begin with `auditstream_`."""

    def __init__(self) -> None:
        self.records_read = Counter("auditstream_records_read", "Records read from Kafka.")
        self.events_stored = Counter("auditstream_events_stored", "Events appended to the table.")
        self.events_rejected = Counter(
            "auditstream_events_rejected", "Records rejected, by reason code.", ["reason"]
        )
        self.rejects_not_sent = Counter(
            "auditstream_rejects_not_sent",
            "Rejected events that their topic cannot take; they are in the table.",
        )
        self.events_repeated = Counter(
            "auditstream_events_repeated", "Repeats of a stored event that were dropped."
        )
        self.alerts = Counter("auditstream_alerts", "Alerts raised, by rule.", ["rule"])
        self.correlations_failed = Counter(
            "auditstream_correlations_failed",
            "Evaluations of rules over several events that the store refused.",
        )
        self.gap_records = Counter(
            "auditstream_gap_records", "Records that Kafka deleted before they were read."
        )
        self.watermark_moved = Counter(
            "auditstream_watermark_moved", "Appends refused because another writer was first."
        )
        self.lag_records = Gauge(
            "auditstream_lag_records", "Records of this worker's partitions that are not read yet."
        )
        self.rows_pending = Gauge(
            "auditstream_rows_pending", "Rows in memory that are not yet in the table."
        )
        self.append_seconds = Histogram(
            "auditstream_append_seconds", "Duration of appends, read-back included."
        )
        self.process_seconds = Histogram(
            "auditstream_process_seconds", "Duration of decode to detect for one fetch."
        )
        self.alert_latency_seconds = Histogram(
            "auditstream_alert_latency_seconds",
            "From detection of an alert to its being read from the alerts topic.",
        )


metrics: Final = Metrics()
