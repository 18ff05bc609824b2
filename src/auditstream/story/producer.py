"""One process of the story: a service that publishes its part through the SDK.

Run as `python -m auditstream.story.producer SERVICE --seed N --events N --now TIME`, where Kafka is
named by the environment. It prints its counts as JSON lines on standard output, the last when the
broker has acknowledged everything, and exits with 0; with 1 when that did not happen in time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from auditstream.alerts.records import Record, send_records
from auditstream.publish.audit_log import AuditLog
from auditstream.settings import load_settings
from auditstream.story.story import IMPORTER, SERVICES, Story

REPORT_SECONDS: Final = 0.2
MOST_WAITING: Final = 20_000
FLUSH_SECONDS: Final = 60.0


def main() -> int:
    """Publish what the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(prog="producer", description=__doc__)
    parser.add_argument("service", choices=(*SERVICES, IMPORTER))
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--now", type=datetime.fromisoformat, required=True)
    arguments = parser.parse_args()
    story = Story(arguments.seed, arguments.events, arguments.now)
    if arguments.service == IMPORTER:
        publish_malformed(story)
        return 0
    return 0 if publish_script(story, arguments.service) else 1


def publish_script(story: Story, service: str) -> bool:
    """Publish a service's part through the SDK; return whether all was acknowledged in time."""
    log = AuditLog(service=service, service_version="1.4.2")
    due = 0.0
    for entry in story.script(service):
        log.emit_envelope(entry.datum)
        if time.monotonic() >= due:
            due = time.monotonic() + REPORT_SECONDS
            _report(service, log.stats().acknowledged)
            _wait(lambda: log.stats().spooled < MOST_WAITING)
    done = log.flush(FLUSH_SECONDS)
    stats = log.stats()
    _report(service, stats.acknowledged, stats.accepted)
    log.close()
    return done and stats.acknowledged == stats.accepted


def publish_malformed(story: Story) -> None:
    """Send the damaged records as they are; blocks until they are acknowledged."""
    settings = load_settings()
    records = (Record(record.key, record.value) for record in story.malformed())
    count = send_records(settings, settings.events_topic, records)
    _report(IMPORTER, count, count)


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + FLUSH_SECONDS
    while not until() and time.monotonic() < deadline:
        time.sleep(REPORT_SECONDS / 4)


def _report(service: str, published: int, accepted: int | None = None) -> None:
    counts = {"service": service, "published": published}
    line = counts if accepted is None else counts | {"accepted": accepted}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
