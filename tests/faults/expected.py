"""The alerts that stored events must have raised, whatever befell the workers meanwhile."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import polars as pl

from auditstream.contract.alert import alert_id
from auditstream.pipeline.detect import Detector
from auditstream.rules.correlation.compile import to_sql
from auditstream.rules.correlation.engine import waits
from auditstream.rules.correlation.model import Correlation
from auditstream.rules.correlation.scope import moment
from auditstream.rules.levels import from_level
from auditstream.rules.load import load_rules
from auditstream.rules.to_sql import compile_sql
from auditstream.store.columns import EVENT_SCHEMA, EVENTS
from tests.harness.system import System


def expected_alerts(system: System) -> dict[str, str]:
    """Return rules by the ids of the alerts that they raise for all that is stored, at once.

    Rules of single events, and correlations, whose history is asked of the table in one query.
    """
    settings = system.settings
    rules = from_level(load_rules(settings.rules_dir), settings.builtin_level)
    columns = ", ".join(
        f"toString(e.{name}) AS {name}" if name in {"event_id", "severity"} else f"e.{name}"
        for name in EVENTS
    )
    table = f"{system.settings.clickhouse_database}.events AS e"
    events = system.store.query_frame(f"SELECT {columns} FROM {table}")
    events = events.select(pl.col(name).cast(dtype) for name, dtype in EVENT_SCHEMA.items())
    now = datetime.now(UTC)
    expected = {
        alert.alert_id: alert.rule_id for alert in Detector(rules.rules).detect(events, now)
    }
    predicates = {rule.name: compile_sql(rule) for rule in rules.rules}
    linked = rules.correlations
    for name, rule in linked.rules.items():
        if not isinstance(rule, Correlation) or waits(rule, linked) or name in linked.muted():
            continue
        sql = to_sql(
            rule,
            predicates,
            now - timedelta(days=1),
            now + timedelta(days=1),
            database=system.settings.clickhouse_database,
            linked=linked,
        )
        for row in system.store.query_frame(sql).to_dicts():
            group = dict(zip(rule.group_by, row["group_values"], strict=True))
            key = json.dumps(group, separators=(",", ":"))
            raised = alert_id(name, key, moment(row["ended"]), rule.header.window)
            expected[raised] = name
    return expected
