"""Metrics of the notifier and of the canary, for Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram


class AlertMetrics:
    """Every metric of delivering alerts; names begin with `auditstream_`."""

    def __init__(self) -> None:
        self.deliveries = Counter(
            "auditstream_deliveries",
            "Deliveries by destination and outcome: delivered, failed (an attempt) or dead.",
            ["destination", "outcome"],
        )
        self.held = Counter(
            "auditstream_alerts_held",
            "Alerts held back, by what: silenced, maintenance or suppressed.",
            ["by"],
        )
        self.delivery_seconds = Histogram(
            "auditstream_delivery_seconds",
            "From the detection of an alert to its delivery at once.",
            ["destination"],
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300, 3600),
        )
        self.queued = Gauge(
            "auditstream_deliveries_queued", "Deliveries in memory.", ["destination"]
        )
        self.detection_latency_seconds = Histogram(
            "auditstream_detection_latency_seconds",
            "From publishing a canary event to its row in the table.",
            buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120),
        )
        self.canaries_missing = Counter(
            "auditstream_canaries_missing", "Canary events that did not come out in time."
        )


alert_metrics: Final = AlertMetrics()
