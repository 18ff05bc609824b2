-- Measured on a million generated events of 630 bytes each in memory: 78 bytes an event on disk with
-- these codecs, 84 with the narrow columns left to LZ4, 154 with LZ4 alone; ZSTD(3) saved nothing
-- over ZSTD(1). Delta takes a sixth to a third off times and offsets. The projection event_ids adds
-- 20 bytes: it finds 20,000 event ids of a few minutes in 20 ms, where a minmax skip index over the
-- minutes prunes next to nothing once many workspaces have been merged into one part.
-- A part below min_bytes_for_wide_part is one file: an append of 50,000 events with fsync takes
-- 0.25 s, and 0.34 s with a file for each column.
CREATE TABLE IF NOT EXISTS {database}.events
(
    stream LowCardinality(String) COMMENT 'Identity of the Kafka topic: cluster id, topic and topic id; a topic made anew is another stream.',
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic of the record.',
    kafka_partition Int32 COMMENT 'Kafka partition of the record.',
    kafka_offset Int64 COMMENT 'Kafka offset of the record.' CODEC(Delta, ZSTD),
    kafka_timestamp Nullable(DateTime64(3, 'UTC')) COMMENT 'Timestamp of the Kafka record.' CODEC(Delta, ZSTD),
    ingested_at DateTime64(6, 'UTC') COMMENT 'When the worker read the record; one value for all rows of an append.',

    event_id UUID COMMENT 'Identifier of the event, given by its producer; no two rows share one.',
    action LowCardinality(String) COMMENT 'What was done.',
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it was done, by the producer''s clock.' CODEC(Delta, ZSTD),
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace in which it was done.',
    workspace_username LowCardinality(String) COMMENT 'Name of the workspace as it stands in URLs; empty when the producer did not know it.',

    actor_type LowCardinality(String) COMMENT 'Kind of actor: user, service_account, api_token, system or unknown.',
    actor_id Nullable(String) COMMENT 'Identifier of who did it.',
    actor_username Nullable(String) COMMENT 'Name the actor signs in with.',
    actor_email Nullable(String) COMMENT 'Mail address of the actor.',
    actor_role LowCardinality(Nullable(String)) COMMENT 'Workspace role of the actor at the time.',
    actor_ip Nullable(String) COMMENT 'IPv4 or IPv6 address the request came from, as canonical text; isIPAddressInRange(actor_ip, ''10.0.0.0/8'') asks for a network.',
    actor_user_agent LowCardinality(Nullable(String)) COMMENT 'User-Agent header of the request.',
    actor_session_id Nullable(String) COMMENT 'Session the request belonged to.',
    actor_on_behalf_of Nullable(String) COMMENT 'Identifier of the user for whom a service account, token or system acted.',

    entity_type LowCardinality(String) COMMENT 'Kind of thing that was acted on.',
    entity_id String COMMENT 'Identifier of what was acted on.',
    entity_name Nullable(String) COMMENT 'Name of what was acted on, at the time.',
    member_id Nullable(String) COMMENT 'Identifier of the person whose membership, role or access changed.',
    member_username Nullable(String) COMMENT 'Name that person signs in with.',
    member_email Nullable(String) COMMENT 'Mail address of that person.',
    group_id Nullable(String) COMMENT 'Identifier of the group whose access changed.',
    group_name Nullable(String) COMMENT 'Name of that group at the time.',
    role LowCardinality(Nullable(String)) COMMENT 'Role given, or in force after the action.',
    previous_role LowCardinality(Nullable(String)) COMMENT 'Role in force before the action; previous_role_origin tells how it is known.',
    outcome LowCardinality(String) COMMENT 'How the action ended: success, failure or denied.',
    outcome_reason Nullable(String) COMMENT 'Why the action failed or was denied.',
    correlation_id Nullable(String) COMMENT 'Identifier shared by all events of one operation.',
    causation_id Nullable(String) COMMENT 'event_id of the event that caused this one.',
    request_id Nullable(String) COMMENT 'Identifier of the request that caused the event.',
    changes Array(Tuple(field String, old Nullable(String), new Nullable(String))) COMMENT 'Fields the action changed, with their values before and after.',
    metadata Array(Tuple(key String, value String)) COMMENT 'Anything else the producer sent along, as pairs.',
    source_service LowCardinality(String) COMMENT 'Service that produced the event.',
    source_version LowCardinality(Nullable(String)) COMMENT 'Version of that service.',
    source_instance LowCardinality(Nullable(String)) COMMENT 'Instance of that service: host, pod or process.',
    source_epoch Int64 COMMENT 'When the instance began to count, microseconds since 1970-01-01.' CODEC(Delta, ZSTD),
    source_sequence Int64 COMMENT 'Number of the event within service, instance and epoch, from 1; a missing number proves a loss.' CODEC(Delta, ZSTD),

    category LowCardinality(String) COMMENT 'Category of the action.',
    severity Enum8('informational' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5) COMMENT 'Severity of the action by the catalogue; severity >= ''high'' compares.',
    description LowCardinality(String) COMMENT 'The action in a few words.',
    sentence String COMMENT 'Who did what to whom, in one sentence.',
    role_rank Nullable(UInt8) COMMENT 'Place of role on the scale of the action, from 1; 0 is none.',
    previous_role_rank Nullable(UInt8) COMMENT 'Place of previous_role on the scale of the action, from 1; 0 is none.',
    role_change Nullable(Int8) COMMENT 'role_rank - previous_role_rank: above 0 a role was raised.',
    previous_role_origin LowCardinality(String) COMMENT 'Where previous_role comes from: producer (it was in the event), history (the last known one in this table), or empty.',
    user_agent_family LowCardinality(Nullable(String)) COMMENT 'Browser or program the user agent names.',
    user_agent_os LowCardinality(Nullable(String)) COMMENT 'Operating system the user agent names.',
    ip_class LowCardinality(String) COMMENT 'What kind of address actor_ip is, for example private, public or loopback; empty without one.',
    country LowCardinality(Nullable(String)) COMMENT 'ISO code of the country of actor_ip, where a database of addresses is configured.',
    network LowCardinality(Nullable(String)) COMMENT 'Organisation whose network actor_ip belongs to, where a database of networks is configured.',
    delay_seconds Float32 COMMENT 'Seconds from occurred_at to ingested_at: long where an event waited for Kafka or a worker, or was published afterwards.',
    is_late Bool COMMENT 'Whether delay_seconds was above the worker''s setting AUDITSTREAM_LATE_SECONDS, by default five minutes.',
    ocsf_class_uid UInt16 COMMENT 'Class of the action in the Open Cybersecurity Schema Framework.',
    ocsf_activity_id UInt8 COMMENT 'Activity of the action within that class.',

    event_id_minute DateTime64(6, 'UTC') COMMENT 'Minute within the event_id where that holds a time (UUID version 7), else minute of occurred_at; narrows the search for an event_id.' CODEC(Delta, ZSTD),
    role_key UInt32 MATERIALIZED bitXor(CRC32(entity_id), CRC32(coalesce(member_id, group_id, ''))) COMMENT 'Checksum of the entity and of whom the action was about; narrows the search for the roles somebody has held.' CODEC(NONE),
    partition_month Date COMMENT 'Month by which the table is partitioned: that of the newest ingested_at of the Kafka partition before this append.',

    INDEX role_keys role_key TYPE bloom_filter(0.01) GRANULARITY 1,

    PROJECTION event_ids
    (
        SELECT event_id_minute, event_id, workspace_id, occurred_at
        ORDER BY event_id_minute, event_id
    ),

    PROJECTION watermarks
    (
        SELECT stream, kafka_partition, count(), max(kafka_offset), max(ingested_at)
        GROUP BY stream, kafka_partition
    )
)
ENGINE = MergeTree
PARTITION BY partition_month
PRIMARY KEY (workspace_id, occurred_at)
ORDER BY (workspace_id, occurred_at, event_id)
SETTINGS
    default_compression_codec = 'ZSTD(1)',
    min_bytes_for_wide_part = 134217728,
    merge_selector_base = 10,
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    ttl_only_drop_parts = 1,
    materialize_ttl_recalculate_only = 1
COMMENT 'One row for each audited action.';
