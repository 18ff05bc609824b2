"""Events of many workspaces over three years, made by ClickHouse itself: for benchmarks of reads.

The largest workspace has a share of its own, the others grow with their number. Actions have the
shares of the catalogue's weights, and there are as many groups, collections and connections as
events that make one; few of them are busy, the first ones most. Each has its own circle of people and
groups, so that who is removed from a thing has mostly been added to it.
"""

# ruff: noqa: E501 - one long statement, a line for each column

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from auditstream.contract.catalogue import Action, shipped_catalogue
from auditstream.store.connection import Store
from auditstream.store.sql import literal

BEGINNING: Final = datetime(2023, 7, 1, tzinfo=UTC)
END: Final = datetime(2026, 7, 1, tzinfo=UTC)
CHUNK_ROWS: Final = 1_000_000
WORKSPACES: Final = 3000

_PREFIXES: Final = {
    "workspace": "w",
    "workspace_group": "g",
    "workspace_collection": "k",
    "workspace_connection": "c",
    "workspace_audit_log": "a",
}


@dataclass(frozen=True)
class Size:
    """How many events in all, and how many of them in the largest workspace."""

    events: int
    largest: int


def fill(store: Store, size: Size) -> Iterator[int]:
    """Fill the table of events; yield how many rows are there after each chunk."""
    for start in range(0, size.events, CHUNK_ROWS):
        count = min(CHUNK_ROWS, size.events - start)
        store.command(statement(store.database, size, start, count))
        yield start + count


def statement(database: str, size: Size, start: int, count: int) -> str:
    """Return the INSERT of events number `start` to `start + count`, which follow in time."""
    actions = list(shipped_catalogue().actions.values())
    lots = [index for index, action in enumerate(actions, 1) for _ in range(action.weight)]
    step = (END - BEGINNING) / timedelta(microseconds=1) / size.events

    def pick(values: list[str], kind: str) -> str:
        return f"CAST([{', '.join(values)}], 'Array({kind})')[which]"

    def words(values: Iterator[str]) -> str:
        return pick([literal(value) for value in values], "LowCardinality(String)")

    def marks(field: str) -> str:
        return pick([str(int(field in action.fields)) for action in actions], "UInt8")

    scales = ", ".join(_scale(action) for action in actions)
    rare = size.largest / size.events
    return f"""
INSERT INTO {database}.events (
    stream, kafka_topic, kafka_partition, kafka_offset, kafka_timestamp, ingested_at, event_id, action,
    occurred_at, workspace_id, workspace_username, actor_type, actor_id, actor_username, actor_email,
    actor_role, actor_ip, actor_user_agent, actor_session_id, entity_type, entity_id, entity_name,
    member_id, member_username, member_email, group_id, group_name, role, previous_role, outcome,
    correlation_id, request_id, changes, metadata, source_service, source_version, source_instance,
    source_epoch, source_sequence, category, severity, description, sentence, role_rank,
    previous_role_rank, role_change, previous_role_origin, user_agent_family, user_agent_os, ip_class,
    delay_seconds, is_late, ocsf_class_uid, ocsf_activity_id, event_id_minute, partition_month)
WITH
    cityHash64(number, 1) AS dice_1,
    cityHash64(number, 2) AS dice_2,
    cityHash64(number, 3) AS dice_3,
    (dice_1 % 1000003) / 1000003 AS u,
    {WORKSPACES} AS workspaces,
    if(u < {rare}, 0, 1 + toUInt32(floor(workspaces * pow((dice_2 % 1000033) / 1000033, 2.5)))) AS workspace,
    if(workspace = 0, {size.largest}, {size.events} * {1 - rare}
        * (pow(workspace / workspaces, 0.4) - pow((workspace - 1) / workspaces, 0.4))) AS workspace_events,
    20 + toUInt32(workspace_events / 100) AS people,
    2 + toUInt32(workspace_events / 50 * number / {size.events}) AS groups,
    'w' || leftPad(toString(workspace), 6, '0') AS workspace_key,
    CAST({lots}, 'Array(UInt8)')[1 + dice_3 % {len(lots)}] AS which,
    toUInt32(people * pow((intDiv(dice_1, 1000003) % 9973) / 9973, 2)) AS who,
    multiIf(entity_type = 'workspace_group', groups, entity_type = 'workspace_collection', 2 * groups,
        entity_type = 'workspace_connection', 2 + intDiv(groups * 5, 8), 1) AS things,
    toUInt32(floor(things * pow(intDiv(dice_3, {len(lots)}) % 99991 / 99991, 2))) AS thing,
    intDiv(dice_2, 1000033) AS dice_4,
    if(entity_type = 'workspace', dice_4, cityHash64(thing, prefix) + dice_4 % (8 + intDiv(2000, thing + 1))) % people AS whom,
    toUInt32(floor(groups * pow(cityHash64(thing, prefix, dice_4 % (4 + intDiv(100, thing + 1))) % 9973 / 9973, 2))) AS whose,
    {pick([literal(_PREFIXES[action.entity_type]) for action in actions], "LowCardinality(String)")} AS prefix,
    {words(action.entity_type for action in actions)} AS entity_type,
    {marks("member")} AS has_member,
    {marks("group")} AS has_group,
    [{scales}][which] AS roles,
    {marks("role")} AND length(roles) > 0 AS has_role,
    {marks("previous_role")} AND length(roles) > 0 AND dice_2 % 3 > 0 AS has_previous,
    if(has_role, 1 + intDiv(dice_1, 7) % length(roles), 0) AS role_at,
    if(has_previous, 1 + intDiv(dice_2, 7) % length(roles), 0) AS previous_at,
    {words(action.description for action in actions)} AS words,
    toDateTime64('{BEGINNING:%F %T}', 6, 'UTC') + toIntervalMicrosecond(toInt64(number * {step})) AS moment
SELECT
    'bench/audit.events/1', 'audit.events', workspace % 6, number, moment, moment + toIntervalMillisecond(700),
    dateTimeToUUIDv7(toDateTime(moment)), {words(action.name for action in actions)},
    moment, workspace_key, 'workspace-' || workspace, if(dice_3 % 10 = 0, 'service_account', 'user'),
    workspace_key || '-u' || who, 'person_' || who, 'person_' || who || '@example.org',
    if(who % 20 = 0, 'admin', 'member'), '203.0.' || (who % 250) || '.' || (dice_1 % 5),
    'Mozilla/5.0 (X11; Linux x86_64; rv:' || (90 + who % 50) || '.0) Gecko/20100101 Firefox/' || (90 + who % 50) || '.0',
    lower(hex(cityHash64(who, toDate(moment)))), entity_type AS kind,
    if(prefix = 'w', workspace_key, workspace_key || '-' || prefix || thing) AS entity,
    kind || ' ' || thing AS thing_name,
    if(has_member, workspace_key || '-u' || whom, NULL), if(has_member, 'person_' || whom, NULL),
    if(has_member, 'person_' || whom || '@example.org', NULL),
    if(has_group, workspace_key || '-g' || whose, NULL), if(has_group, 'workspace_group ' || whose, NULL),
    if(has_role, roles[role_at], NULL), if(has_previous, roles[previous_at], NULL),
    multiIf(dice_1 % 50 = 0, 'denied', dice_1 % 50 = 1, 'failure', 'success'),
    lower(hex(dice_1)), lower(hex(dice_2)) || lower(hex(dice_3)),
    if(dice_1 % 10 = 0, [('name', 'a', 'b')], []),
    if(dice_2 % 10 = 0, [('ticket', 'SEC-' || toString(dice_3 % 900000)), ('reason', 'quarterly review')], []),
    'console', '1.2.3', 'console-' || (number % 8), toUnixTimestamp64Micro(toDateTime64(toStartOfMonth(moment), 6, 'UTC')), intDiv(number, 8),
    {words(action.category for action in actions)}, {words(action.severity for action in actions)}, words,
    'person_' || who || ' ' || words || ' ' || if(has_member, 'person_' || whom || ' ', '') || thing_name,
    if(has_role, role_at, NULL), if(has_previous, previous_at, NULL),
    if(has_role AND has_previous, toInt8(role_at) - toInt8(previous_at), NULL),
    if(has_previous, 'producer', ''), 'Firefox', 'Linux', 'public', 0.7, false,
    {pick([str(action.ocsf.class_uid) for action in actions], "UInt16")},
    {pick([str(action.ocsf.activity_id) for action in actions], "UInt8")},
    toStartOfMinute(moment), toStartOfMonth(moment)
FROM numbers({start}, {count})
WHERE number % 1000003 != 7
SETTINGS max_insert_threads = 1, max_threads = 2, max_insert_block_size = 1048576,
    min_insert_block_size_rows = 1048576, min_insert_block_size_bytes = 0"""


def _scale(action: Action) -> str:
    return f"CAST([{', '.join(map(literal, action.roles))}], 'Array(String)')"
