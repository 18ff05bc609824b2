-- Where nothing is missing, a block has as many events as numbers, and begins where the one before it
-- ended: the projection `sources` of events tells that of all blocks in milliseconds. Only of blocks with
-- a hole are the numbers read, from the days on which they were given.
CREATE OR REPLACE VIEW {database}.sequence_gaps_between
AS WITH
    -- A block of 8,192 numbers of a source each, as the projection of the table has them.
    blocks AS
    (
        SELECT
            *,
            lagInFrame(last) OVER source AS last_before,
            lagInFrame(last_at) OVER source AS last_at_before
        FROM
        (
            SELECT
                e.source_service AS source_service,
                e.source_instance AS source_instance,
                e.source_epoch AS source_epoch,
                intDiv(e.source_sequence, 8192) AS block,
                count() AS events,
                min(e.source_sequence) AS first,
                max(e.source_sequence) AS last,
                min(e.occurred_at) AS began,
                max(e.occurred_at) AS ended,
                argMin(e.occurred_at, e.source_sequence) AS first_at,
                argMax(e.occurred_at, e.source_sequence) AS last_at
            FROM {database}.events AS e
            GROUP BY e.source_service, e.source_instance, e.source_epoch, block
        )
        WINDOW source AS (PARTITION BY source_service, source_instance, source_epoch ORDER BY block ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ),
    (
        SELECT groupArray((toString(source_service), ifNull(toString(source_instance), ''), source_epoch, block, arrayMap(d -> toDate(began) + d, range(toUInt32(toDate(ended) - toDate(began) + 1))))::Tuple(service String, instance String, epoch Int64, block Int64, days Array(Date)))
        FROM blocks
        WHERE events < last - first + 1 AND ended >= {since:DateTime64(6, 'UTC')} AND began < {until:DateTime64(6, 'UTC')}
    ) AS holed,
    gaps AS
    (
        SELECT
            source_service, source_instance, source_epoch,
            last_before AS present, first AS next, if(last_before = 0, NULL, last_at_before) AS after, first_at AS before
        FROM blocks
        WHERE first > last_before + 1
        UNION ALL
        SELECT source_service, source_instance, source_epoch, present.1, next.1, toNullable(present.2), next.2
        FROM
        (
            SELECT
                e.source_service AS source_service,
                e.source_instance AS source_instance,
                e.source_epoch AS source_epoch,
                arraySort(groupArray((e.source_sequence, e.occurred_at))) AS numbers
            FROM {database}.events AS e
            WHERE toDate(e.occurred_at) IN (SELECT arrayJoin(arrayFlatten(holed.days)))
                AND (e.source_epoch, intDiv(e.source_sequence, 8192), toString(e.source_service), ifNull(toString(e.source_instance), ''))
                    IN (SELECT h.epoch, h.block, h.service, h.instance FROM (SELECT arrayJoin(holed) AS h))
            GROUP BY e.source_service, e.source_instance, e.source_epoch, intDiv(e.source_sequence, 8192)
        )
        ARRAY JOIN arrayPopBack(numbers) AS present, arrayPopFront(numbers) AS next
        WHERE next.1 > present.1 + 1
    )
SELECT
    source_service,
    source_instance,
    source_epoch,
    fromUnixTimestamp64Micro(source_epoch, 'UTC') AS epoch_began_at,
    present + 1 AS missing_from,
    next - 1 AS missing_to,
    next - present - 1 AS missing,
    after,
    before
FROM gaps
WHERE before >= {since:DateTime64(6, 'UTC')} AND before < {until:DateTime64(6, 'UTC')}
COMMENT 'Parameterised by since and until: sequence_gaps with before from since on and before until, in a fraction of the time.';

CREATE OR REPLACE VIEW {database}.sequence_gaps
(
    source_service LowCardinality(String) COMMENT 'Service that counts.',
    source_instance LowCardinality(Nullable(String)) COMMENT 'Instance of the service.',
    source_epoch Int64 COMMENT 'When the instance began to count, microseconds since 1970-01-01.',
    epoch_began_at DateTime64(6, 'UTC') COMMENT 'The same as a time.',
    missing_from Int64 COMMENT 'First number that is missing.',
    missing_to Int64 COMMENT 'Last number that is missing.',
    missing Int64 COMMENT 'How many numbers are missing.',
    after Nullable(DateTime64(6, 'UTC')) COMMENT 'When the last event before the gap occurred; NULL when the very first numbers are missing, as they are once old events have expired.',
    before DateTime64(6, 'UTC') COMMENT 'When the first event after the gap occurred.'
)
AS SELECT * FROM {database}.sequence_gaps_between(since = '1970-01-01 00:00:00', until = '2299-12-31 23:59:59')
COMMENT 'Numbers missing from what a producer counted: each is an event that was lost, was rejected, or is still under way.';

CREATE OR REPLACE VIEW {database}.rejects
(
    rejected_at DateTime64(6, 'UTC') COMMENT 'When it was rejected.',
    workspace_id Nullable(String) COMMENT 'Key of the record, which is the workspace where the producer keeps to the contract.',
    reason LowCardinality(String) COMMENT 'Why it was rejected.',
    field String COMMENT 'Path of the offending field; empty when the whole record is meant.',
    message String COMMENT 'What is wrong and what would be right.',
    event_id Nullable(String) COMMENT 'Identifier of the event, when it could be read.',
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic of the record.',
    position String COMMENT 'Partition and offset of the record, as auditstream rejects show takes them.',
    size Nullable(UInt64) COMMENT 'Length of the value in bytes; NULL for a record without a value.'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    r.rejected_at AS rejected_at,
    toValidUTF8(r.key) AS workspace_id,
    r.reason AS reason,
    r.field AS field,
    r.message AS message,
    r.event_id AS event_id,
    r.kafka_topic AS kafka_topic,
    r.kafka_partition || ':' || r.kafka_offset AS position,
    length(r.value) AS size
FROM {database}.rejected_events AS r
COMMENT 'Records that could not become events, without their bytes; what to do is in auditstream rejects.';
