ALTER TABLE {database}.alerts
    ADD COLUMN IF NOT EXISTS whom String COMMENT 'Person or group it was done to, as shown in the sentence; empty when there is none.',
    ADD COLUMN IF NOT EXISTS late Bool COMMENT 'Whether the first event arrived later than it should have, or out of order.',
    ADD COLUMN IF NOT EXISTS retroactive Bool COMMENT 'Whether the rule was run over history, so that this was not news.',
    ADD COLUMN IF NOT EXISTS window_seconds Int64 DEFAULT 3600 COMMENT 'Window of the rule in seconds; 0: one alert for a group key for ever.',
    ADD COLUMN IF NOT EXISTS link Nullable(String) COMMENT 'Page of the alert in the explorer.',
    ADD COLUMN IF NOT EXISTS first_event Nullable(String) COMMENT 'The first event in full, as a JSON object.';

CREATE TABLE IF NOT EXISTS {database}.alert_transitions
(
    alert_id UUID COMMENT 'Alert whose state changed.',
    number UInt32 COMMENT 'Number of the change within the alert, from 1; no two rows share alert_id and number.',
    at DateTime64(6, 'UTC') COMMENT 'When it changed.',
    state LowCardinality(String) COMMENT 'State from then on: acknowledged, resolved or reopened. An alert is open until its first change.',
    by String COMMENT 'Who changed it.',
    reason String COMMENT 'Why, in their words.'
)
ENGINE = MergeTree
ORDER BY (alert_id, number)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1
COMMENT 'One row for each change of an alert''s state.';

CREATE TABLE IF NOT EXISTS {database}.alert_silences
(
    silence_id UUID COMMENT 'Silence; the newest row of a silence is in force.',
    at DateTime64(6, 'UTC') COMMENT 'When the silence was made or cancelled.',
    cancelled Bool COMMENT 'Whether this row ends the silence.',
    rule_id Nullable(String) COMMENT 'Rule whose alerts are silenced; null: any.',
    level Nullable(String) COMMENT 'Level of the alerts that are silenced; null: any.',
    actor Nullable(String) COMMENT 'Actor, as the alert shows it; null: any.',
    workspace_id Nullable(String) COMMENT 'Workspace; null: any.',
    entity Nullable(String) COMMENT 'What was acted on, as the alert shows it; null: any.',
    until DateTime64(6, 'UTC') COMMENT 'When the silence ends by itself.',
    author String COMMENT 'Who made or cancelled it.',
    reason String COMMENT 'Why, in their words.'
)
ENGINE = MergeTree
ORDER BY (silence_id, at)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1
COMMENT 'One row for each silence made, and for each cancelled.';

-- Rows may repeat after a lost answer: every reading is by delivery, and a repeat changes none.
CREATE TABLE IF NOT EXISTS {database}.alert_deliveries
(
    delivery_id UUID COMMENT 'Identifier derived from alert, destination, kind and number; a repeated delivery has the same one.',
    alert_id UUID COMMENT 'Alert that is delivered or held back.',
    at DateTime64(6, 'UTC') COMMENT 'When the delivery came into this state.',
    state LowCardinality(String) COMMENT 'planned, failed (an attempt), retried (a dead letter taken up again), delivered or dead (given up); silenced, maintenance or suppressed when the alert was held back.',
    kind LowCardinality(String) COMMENT 'alert, repeat (it goes on), escalation (nobody acknowledged it) or digest.',
    destination LowCardinality(String) COMMENT 'Name of the destination; empty when the alert was held back from all.',
    due DateTime64(6, 'UTC') COMMENT 'When it may be sent: at once, or with its digest.',
    attempt UInt32 COMMENT 'Attempts made so far.',
    held_by String COMMENT 'What held the alert back: silence_id, name of the maintenance window, or alert_id of the alert it repeats.',
    message_id Nullable(String) COMMENT 'Identifier of the message that carried it; several deliveries share one that was a digest or was folded.',
    error String COMMENT 'What the destination answered, when it did not take it.',
    count Int64 COMMENT 'Events that the alert stood for then.',
    rule_id LowCardinality(String) COMMENT 'Rule of the alert.',
    level LowCardinality(String) COMMENT 'Level of the alert.',
    group_key String COMMENT 'Group key of the alert.',
    occurred_at DateTime64(6, 'UTC') COMMENT 'When the first event of the alert happened.',
    partition Int32 COMMENT 'Partition of the alerts topic that holds the alert.',
    alert String COMMENT 'The alert as JSON, in the row that planned the delivery.' CODEC(ZSTD(3)),

    INDEX alert_ids alert_id TYPE bloom_filter GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (at, delivery_id)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1
COMMENT 'One row for each state of each delivery of an alert to a destination.';

CREATE TABLE IF NOT EXISTS {database}.alert_hits
(
    alert_id UUID COMMENT 'Alert that was raised, anew or again.',
    at DateTime64(6, 'UTC') COMMENT 'When the notifier read it.',
    event_count Int64 COMMENT 'Events that the record stood for.',
    event_ids Array(String) COMMENT 'Events that the record names.',
    partition Int32 COMMENT 'Partition of the alerts topic.',
    offset Int64 COMMENT 'Offset within that partition.'
)
ENGINE = MergeTree
ORDER BY (alert_id, partition, offset)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1
COMMENT 'One row for each record of the alerts topic that the notifier has read.';

CREATE VIEW IF NOT EXISTS {database}.alert_states
(
    alert_id UUID COMMENT 'Identifier derived from rule, group key and window.',
    rule_id LowCardinality(String) COMMENT 'Rule that fired.',
    rule_title LowCardinality(String) COMMENT 'Title of the rule.',
    level Enum8('informational' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5) COMMENT 'Severity; level >= ''high'' compares.',
    state String COMMENT 'open, acknowledged, resolved or reopened.',
    state_by String COMMENT 'Who brought it into this state; empty while open.',
    state_at DateTime64(6, 'UTC') COMMENT 'Since when it is in this state.',
    state_reason String COMMENT 'Why, in their words.',
    sentence String COMMENT 'Who did what to whom, in one sentence.',
    actor String COMMENT 'Who acted.',
    whom String COMMENT 'Person or group it was done to.',
    entity String COMMENT 'What was acted on.',
    workspace_id LowCardinality(String) COMMENT 'Workspace in which it happened.',
    workspace_username LowCardinality(String) COMMENT 'Name of the workspace.',
    occurred_at DateTime64(6, 'UTC') COMMENT 'When the first event happened.',
    detected_at DateTime64(6, 'UTC') COMMENT 'When the rule fired.',
    event_count Int64 COMMENT 'Events that the alert stands for so far.',
    late Bool COMMENT 'Whether the first event arrived late.',
    retroactive Bool COMMENT 'Whether the rule was run over history.'
)
AS SELECT
    a.alert_id AS alert_id, a.rule_id AS rule_id, a.rule_title AS rule_title, a.level AS level,
    if(t.last = 0, 'open', t.state) AS state,
    t.by AS state_by,
    if(t.last = 0, a.detected_at, t.at) AS state_at,
    t.reason AS state_reason,
    a.sentence AS sentence, a.actor AS actor, a.whom AS whom, a.entity AS entity,
    a.workspace_id AS workspace_id, a.workspace_username AS workspace_username,
    a.occurred_at AS occurred_at, a.detected_at AS detected_at,
    greatest(a.event_count, h.events) AS event_count,
    a.late AS late, a.retroactive AS retroactive
FROM {database}.alerts AS a
LEFT JOIN
(
    SELECT
        alert_id, max(number) AS last, argMax(tr.state, number) AS state,
        argMax(tr.by, number) AS by, argMax(tr.at, number) AS at, argMax(tr.reason, number) AS reason
    FROM {database}.alert_transitions AS tr GROUP BY alert_id
) AS t ON t.alert_id = a.alert_id
LEFT JOIN
(
    SELECT alert_id, toInt64(length(groupUniqArrayArray(event_ids))) AS events
    FROM {database}.alert_hits GROUP BY alert_id
) AS h ON h.alert_id = a.alert_id
SETTINGS join_use_nulls = 0
COMMENT 'One row for each alert with its current state.';
