CREATE TABLE IF NOT EXISTS {database}.rejected_events
(
    stream LowCardinality(String) COMMENT 'Identity of the Kafka topic: cluster id, topic and topic id.',
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic of the record.',
    kafka_partition Int32 COMMENT 'Kafka partition of the record.',
    kafka_offset Int64 COMMENT 'Kafka offset of the record; no two rows share stream, partition and offset.',
    kafka_timestamp Nullable(DateTime64(3, 'UTC')) COMMENT 'Timestamp of the Kafka record.',
    key Nullable(String) COMMENT 'Bytes of the record''s key, unchanged.',
    value Nullable(String) COMMENT 'Bytes of the record''s value, unchanged.',
    reason LowCardinality(String) COMMENT 'Why it was rejected.',
    field String COMMENT 'Path of the offending field; empty when the whole record is meant.',
    message String COMMENT 'What is wrong and what would be right.',
    event_id Nullable(String) COMMENT 'Identifier of the event, when it could be read.',
    rejected_at DateTime64(6, 'UTC') COMMENT 'When it was rejected.'
)
ENGINE = MergeTree
ORDER BY (stream, kafka_partition, kafka_offset)
SETTINGS
    default_compression_codec = 'ZSTD(1)',
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    ttl_only_drop_parts = 1,
    materialize_ttl_recalculate_only = 1
COMMENT 'One row for each Kafka record that could not become an event, with its bytes and the reason.';
