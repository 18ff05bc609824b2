CREATE TABLE IF NOT EXISTS {database}.alerts
(
    alert_id UUID COMMENT 'Identifier derived from rule, group key and window; no two rows share one.',
    rule_id LowCardinality(String) COMMENT 'Identifier of the rule that fired.',
    rule_title LowCardinality(String) COMMENT 'Title of the rule.',
    rule_hash LowCardinality(String) COMMENT 'Hash of the rule''s content at the time.',
    level Enum8('informational' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5) COMMENT 'Severity; level >= ''high'' compares.',
    sentence String COMMENT 'Who did what to whom, in one sentence.',
    reason String COMMENT 'Why it matters.',
    runbook Nullable(String) COMMENT 'Where to read what to do.',
    group_key String COMMENT 'What the alert is about; repeats within a window share it.',
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace in which it happened.',
    workspace_username LowCardinality(String) COMMENT 'Name of the workspace as it stands in URLs.',
    actor String COMMENT 'Who acted, as shown in the sentence.',
    entity String COMMENT 'What was acted on, as shown in the sentence.',
    action LowCardinality(String) COMMENT 'Action of the first event.',
    occurred_at DateTime64(6, 'UTC') COMMENT 'When the first event happened.',
    detected_at DateTime64(6, 'UTC') COMMENT 'When the rule fired.',
    event_count Int64 COMMENT 'Events that the alert stood for when it was stored.',
    evidence Array(Tuple(event_id UUID, topic String, partition Int32, offset Int64)) COMMENT 'Events that made the rule fire: identifier and place in Kafka.',

    INDEX alert_ids alert_id TYPE bloom_filter GRANULARITY 1
)
ENGINE = MergeTree
PRIMARY KEY (workspace_id, occurred_at)
ORDER BY (workspace_id, occurred_at, alert_id)
SETTINGS
    default_compression_codec = 'ZSTD(1)',
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1
COMMENT 'One row for each alert.';
