"""A producer to be killed: prints the id of each event once its `emit` has returned."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import cast

from auditstream import Actor, AuditLog, Durability, Ref, Workspace
from tests.publish.emission import WORKSPACES


def main(brokers: str, directory: str, durability: str) -> None:
    """Emit until killed."""
    audit = AuditLog(
        service="billing",
        kafka_brokers=brokers,
        spool_dir=Path(directory),
        durability=cast("Durability", durability),
    )
    for number in itertools.count():
        event_id = audit.connection_created(
            workspace=Workspace(WORKSPACES[number % len(WORKSPACES)]),
            connection=Ref(f"c-{number}", "warehouse"),
            actor=Actor("u-1"),
        )
        sys.stdout.write(event_id + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
