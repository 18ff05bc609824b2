-- Which actions give and which take access away is told by their OCSF type (class * 100 + activity), which
-- each row carries: a new action of the catalogue takes part without a change here.
--   300501 gives a role (rank 0 takes it away), 300502 takes it away.
--   300101 and 300102 let a person into the workspace, 300105 and 300106 shut them out.
--   300401 with a role gives it to everyone, 300404 deletes a thing.
--   300603 and 300604 move people into and out of a group, 300605 deletes it.
-- Conditions are on numbers, so that a scan costs little: a comparison of names made of them took
-- forty times as long.

-- What ends a span is the first of three: the next step of the same subject with the same thing, the
-- first deletion of the thing, the first departure of the subject. Of the latter two, lists of moments
-- (time, then place in the log) are searched, and the rest of the event is joined to what was found:
-- lists of whole events, one for each pair of thing and subject, grew to seventy times the steps.
CREATE OR REPLACE VIEW {database}.access_spans_known_at
AS WITH
    kept AS
    (
        SELECT
            e.workspace_id AS workspace_id,
            e.ocsf_class_uid = 3006 AS is_membership,
            e.entity_type AS entity_type,
            e.entity_id AS entity_id,
            multiIf(e.member_id IS NOT NULL, 'member', e.group_id IS NOT NULL, 'group', 'everyone') AS subject_type,
            assumeNotNull(coalesce(e.member_id, e.group_id, '')) AS subject_id,
            argMax(e.entity_name, e.occurred_at) AS entity_name,
            argMax(coalesce(e.member_username, e.group_name), e.occurred_at) AS subject_name,
            arraySort(s -> (s.at, s.place), groupArray((e.occurred_at, e.kafka_offset, if(e.ocsf_class_uid * 100 + e.ocsf_activity_id IN (300502, 300604) OR ifNull(e.role_rank = 0, false), 2, 1), e.role, e.role_rank, e.ingested_at, coalesce(e.actor_username, e.actor_id, toString(e.actor_type)), e.actor_id, e.event_id,
                e.previous_role, e.previous_role_rank, e.ocsf_class_uid != 3001 AND (
                    e.ocsf_class_uid * 100 + e.ocsf_activity_id IN (300502, 300604)
                    OR ifNull(e.previous_role_rank > 0, false)
                    OR (e.previous_role IS NULL AND coalesce(e.member_id, e.group_id) IS NOT NULL AND endsWith(e.action, '_changed'))
                ))::Tuple(at DateTime64(6, 'UTC'), place Int64, step UInt8, role Nullable(String), role_rank Nullable(UInt8), known DateTime64(6, 'UTC'), actor Nullable(String), actor_id Nullable(String), event_id UUID, before Nullable(String), before_rank Nullable(UInt8), tells_before Bool))) AS steps,
            steps[1] AS first,
            -- The step before the first is 1 for a role given, as its own place, -1, is no offset.
            arrayConcat(
                if(first.tells_before, [(toDateTime64(0, 6, 'UTC'), -1, 1, first.before, first.before_rank, first.known, NULL, NULL, toUUID('00000000-0000-0000-0000-000000000000'), NULL, NULL, false)::Tuple(at DateTime64(6, 'UTC'), place Int64, step UInt8, role Nullable(String), role_rank Nullable(UInt8), known DateTime64(6, 'UTC'), actor Nullable(String), actor_id Nullable(String), event_id UUID, before Nullable(String), before_rank Nullable(UInt8), tells_before Bool)], []),
                steps
            ) AS merged
        FROM {database}.events AS e
        WHERE e.outcome = 'success'
            AND e.ingested_at <= {known_at:DateTime64(6, 'UTC')}
            AND e.ocsf_class_uid * 100 + e.ocsf_activity_id IN (300501, 300502, 300101, 300102, 300401, 300603, 300604)
            AND (e.ocsf_class_uid != 3004 OR e.role IS NOT NULL)
        GROUP BY workspace_id, is_membership, entity_type, entity_id, subject_type, subject_id
    ),
    deletions AS
    (
        SELECT
            e.workspace_id AS workspace_id,
            e.ocsf_class_uid = 3006 AS is_membership,
            e.entity_type AS entity_type,
            e.entity_id AS entity_id,
            arraySort(groupArray(bitShiftLeft(toInt128(toUnixTimestamp64Micro(e.occurred_at)), 64) + e.kafka_offset)) AS moments
        FROM {database}.events AS e
        WHERE e.outcome = 'success'
            AND e.ingested_at <= {known_at:DateTime64(6, 'UTC')}
            AND e.ocsf_class_uid * 100 + e.ocsf_activity_id IN (300404, 300605)
        GROUP BY workspace_id, is_membership, entity_type, entity_id
    ),
    departures AS
    (
        SELECT
            e.workspace_id AS workspace_id,
            if(e.ocsf_class_uid = 3006, 'group', 'member') AS subject_type,
            if(e.ocsf_class_uid = 3006, e.entity_id, ifNull(e.member_id, '')) AS subject_id,
            arraySort(groupArray(bitShiftLeft(toInt128(toUnixTimestamp64Micro(e.occurred_at)), 64) + e.kafka_offset)) AS moments
        FROM {database}.events AS e
        WHERE e.outcome = 'success'
            AND e.ingested_at <= {known_at:DateTime64(6, 'UTC')}
            AND e.ocsf_class_uid * 100 + e.ocsf_activity_id IN (300605, 300105, 300106)
        GROUP BY workspace_id, subject_type, subject_id
    ),
    ends AS
    (
        SELECT
            e.workspace_id AS workspace_id,
            bitShiftLeft(toInt128(toUnixTimestamp64Micro(e.occurred_at)), 64) + e.kafka_offset AS moment,
            any((e.occurred_at, e.ingested_at, coalesce(e.actor_username, e.actor_id, toString(e.actor_type)), e.actor_id, e.event_id, multiIf(e.ocsf_class_uid = 3006, 'group_deleted', e.ocsf_class_uid = 3004, 'entity_deleted', 'member_removed'))::Tuple(at DateTime64(6, 'UTC'), known DateTime64(6, 'UTC'), actor Nullable(String), actor_id Nullable(String), event_id UUID, reason String)) AS told
        FROM {database}.events AS e
        WHERE e.outcome = 'success'
            AND e.ingested_at <= {known_at:DateTime64(6, 'UTC')}
            AND e.ocsf_class_uid * 100 + e.ocsf_activity_id IN (300404, 300605, 300105, 300106)
        GROUP BY workspace_id, moment
    ),
    given AS
    (
        SELECT
            k.workspace_id AS workspace_id,
            k.is_membership AS is_membership,
            k.entity_type AS entity_type,
            k.entity_id AS entity_id,
            k.entity_name AS entity_name,
            k.subject_type AS subject_type,
            k.subject_id AS subject_id,
            k.subject_name AS subject_name,
            step,
            bitShiftLeft(toInt128(toUnixTimestamp64Micro(step.at)), 64) + step.place AS moment,
            next.step = 0 AS is_last,
            bitShiftLeft(toInt128(toUnixTimestamp64Micro(next.at)), 64) + next.place AS next_moment,
            (next.at, next.known, next.actor, next.actor_id, next.event_id, if(next.step = 1, 'changed', 'removed'))::Tuple(at DateTime64(6, 'UTC'), known DateTime64(6, 'UTC'), actor Nullable(String), actor_id Nullable(String), event_id UUID, reason String) AS next_end
        FROM kept AS k
        ARRAY JOIN k.merged AS step, arrayShiftLeft(k.merged, 1) AS next
        WHERE step.step = 1
    )
SELECT
    workspace_id,
    is_membership,
    entity_type,
    entity_id,
    entity_name,
    subject_type,
    subject_id,
    subject_name,
    step.role AS role,
    step.role_rank AS role_rank,
    step.at AS valid_from,
    if(end.reason = '', NULL, end.at) AS valid_until,
    step.place >= 0 AS start_recorded,
    step.actor AS granted_by,
    step.actor_id AS granted_by_id,
    if(step.place >= 0, step.event_id, NULL) AS event_id,
    nullIf(end.reason, '') AS end_reason,
    end.actor AS ended_by,
    end.actor_id AS ended_by_id,
    if(end.reason = '', NULL, end.event_id) AS end_event_id,
    step.known AS known_from,
    if(end.reason = '', NULL, end.known) AS end_known_from
FROM
(
    SELECT
        g.workspace_id AS workspace_id,
        g.is_membership AS is_membership,
        g.entity_type AS entity_type,
        g.entity_id AS entity_id,
        g.entity_name AS entity_name,
        g.subject_type AS subject_type,
        g.subject_id AS subject_id,
        g.subject_name AS subject_name,
        g.step AS step,
        if(g.is_next, g.next_end, x.told) AS end
    FROM
    (
        SELECT
            g.*,
            arrayFirst(m -> m >= g.moment, d.moments) AS deleted,
            arrayFirst(m -> m >= g.moment, p.moments) AS departed,
            multiIf(deleted = 0, departed, departed = 0, deleted, least(deleted, departed)) AS other,
            NOT g.is_last AND (other = 0 OR g.next_moment <= other) AS is_next,
            if(is_next, 0, other) AS end_moment
        FROM given AS g
        LEFT JOIN deletions AS d ON d.workspace_id = g.workspace_id AND d.is_membership = g.is_membership
            AND d.entity_type = g.entity_type AND d.entity_id = g.entity_id
        LEFT JOIN departures AS p ON p.workspace_id = g.workspace_id
            AND p.subject_type = g.subject_type AND p.subject_id = g.subject_id
    ) AS g
    LEFT JOIN ends AS x ON x.workspace_id = g.workspace_id AND x.moment = g.end_moment
)
COMMENT 'Parameterised by known_at: access grants and group memberships as far as they were known at that time.';

CREATE OR REPLACE VIEW {database}.access_grants_known_at
AS SELECT * EXCEPT is_membership
FROM {database}.access_spans_known_at(known_at = {known_at:DateTime64(6, 'UTC')})
WHERE NOT is_membership
COMMENT 'Parameterised by known_at: access_grants as far as it was known at that time.';

CREATE OR REPLACE VIEW {database}.access_grants
(
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    entity_type LowCardinality(String) COMMENT 'Kind of thing that access is to: a connection, a collection, or the workspace itself.',
    entity_id String COMMENT 'Identifier of the thing.',
    entity_name Nullable(String) COMMENT 'Its last known name.',
    subject_type LowCardinality(String) COMMENT 'Who has the access: member, group, or everyone in the workspace.',
    subject_id String COMMENT 'Identifier of the member or group; empty for everyone.',
    subject_name Nullable(String) COMMENT 'Last known name of the member or group.',
    role Nullable(String) COMMENT 'Role they have; NULL where no event told it.',
    role_rank Nullable(UInt8) COMMENT 'Place of the role on its scale, from 1.',
    valid_from DateTime64(6, 'UTC') COMMENT 'When it was given; 1970-01-01 where only later events tell of it.',
    valid_until Nullable(DateTime64(6, 'UTC')) COMMENT 'When it ended, not included; NULL while it lasts. As of a time t: valid_from <= t AND (valid_until IS NULL OR valid_until > t).',
    start_recorded Bool COMMENT 'Whether the log has the event that gave it; if not, valid_from is 1970-01-01.',
    granted_by Nullable(String) COMMENT 'Name of who gave it; NULL where the start is not recorded.',
    granted_by_id Nullable(String) COMMENT 'Identifier of who gave it.',
    event_id Nullable(UUID) COMMENT 'Event that gave it.',
    end_reason LowCardinality(Nullable(String)) COMMENT 'Why it ended: changed (another role, or given anew), removed, entity_deleted, group_deleted, member_removed (from the workspace).',
    ended_by Nullable(String) COMMENT 'Name of who ended it.',
    ended_by_id Nullable(String) COMMENT 'Identifier of who ended it.',
    end_event_id Nullable(UUID) COMMENT 'Event that ended it.',
    known_from DateTime64(6, 'UTC') COMMENT 'When the log learned that it was given. What was known at a time t, to the last detail: access_grants_known_at(known_at = t).',
    end_known_from Nullable(DateTime64(6, 'UTC')) COMMENT 'When the log learned that it ended.'
)
AS SELECT * FROM {database}.access_grants_known_at(known_at = toDateTime64('2299-12-31 00:00:00', 6, 'UTC'))
COMMENT 'Who was given which access to what, from when until when, by whom: one row for each time that access was given. Late and out-of-order events are in their place.';

CREATE OR REPLACE VIEW {database}.group_members_known_at
AS SELECT
    workspace_id,
    entity_id AS group_id,
    entity_name AS group_name,
    subject_id AS member_id,
    subject_name AS member_username,
    valid_from,
    valid_until,
    start_recorded,
    granted_by AS added_by,
    granted_by_id AS added_by_id,
    event_id,
    end_reason,
    ended_by,
    ended_by_id,
    end_event_id,
    known_from,
    end_known_from
FROM {database}.access_spans_known_at(known_at = {known_at:DateTime64(6, 'UTC')})
WHERE is_membership
COMMENT 'Parameterised by known_at: group_members as far as it was known at that time.';

CREATE OR REPLACE VIEW {database}.group_members
(
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    group_id String COMMENT 'Identifier of the group.',
    group_name Nullable(String) COMMENT 'Its last known name.',
    member_id String COMMENT 'Identifier of the member.',
    member_username Nullable(String) COMMENT 'Name the member signs in with, the last known one.',
    valid_from DateTime64(6, 'UTC') COMMENT 'When the member joined; 1970-01-01 where only later events tell of it.',
    valid_until Nullable(DateTime64(6, 'UTC')) COMMENT 'When the membership ended, not included; NULL while it lasts. As of a time t: valid_from <= t AND (valid_until IS NULL OR valid_until > t).',
    start_recorded Bool COMMENT 'Whether the log has the event that began it; if not, valid_from is 1970-01-01.',
    added_by Nullable(String) COMMENT 'Name of who added the member; NULL where the start is not recorded.',
    added_by_id Nullable(String) COMMENT 'Identifier of who added the member.',
    event_id Nullable(UUID) COMMENT 'Event that added the member.',
    end_reason LowCardinality(Nullable(String)) COMMENT 'Why it ended: changed (added anew), removed, group_deleted, member_removed (from the workspace).',
    ended_by Nullable(String) COMMENT 'Name of who ended it.',
    ended_by_id Nullable(String) COMMENT 'Identifier of who ended it.',
    end_event_id Nullable(UUID) COMMENT 'Event that ended it.',
    known_from DateTime64(6, 'UTC') COMMENT 'When the log learned that the member joined. What was known at a time t, to the last detail: group_members_known_at(known_at = t).',
    end_known_from Nullable(DateTime64(6, 'UTC')) COMMENT 'When the log learned that it ended.'
)
AS SELECT * FROM {database}.group_members_known_at(known_at = toDateTime64('2299-12-31 00:00:00', 6, 'UTC'))
COMMENT 'Who was in which group, from when until when: one row for each time that a member was added.';

CREATE OR REPLACE VIEW {database}.effective_access_known_at
AS SELECT
    workspace_id,
    entity_type,
    entity_id,
    entity_name,
    subject_id AS member_id,
    if(subject_type = 'member', subject_name, NULL) AS member_username,
    role,
    role_rank,
    if(subject_type = 'member', 'direct', 'everyone') AS through,
    CAST(NULL, 'Nullable(String)') AS through_name,
    valid_from,
    valid_until,
    start_recorded,
    granted_by,
    granted_by_id,
    CAST(NULL, 'Nullable(String)') AS added_by,
    CAST(NULL, 'Nullable(String)') AS added_by_id,
    event_id AS grant_event_id,
    CAST(NULL, 'Nullable(UUID)') AS membership_event_id,
    known_from,
    end_known_from
FROM {database}.access_grants_known_at(known_at = {known_at:DateTime64(6, 'UTC')})
WHERE subject_type IN ('member', 'everyone') AND ifNull(valid_from < valid_until, true)
UNION ALL
SELECT
    g.workspace_id,
    g.entity_type,
    g.entity_id,
    g.entity_name,
    m.member_id,
    m.member_username,
    g.role,
    g.role_rank,
    m.group_id,
    coalesce(m.group_name, g.subject_name),
    greatest(g.valid_from, m.valid_from),
    multiIf(g.valid_until IS NULL, m.valid_until, m.valid_until IS NULL, g.valid_until, least(g.valid_until, m.valid_until)),
    g.start_recorded AND m.start_recorded,
    g.granted_by,
    g.granted_by_id,
    m.added_by,
    m.added_by_id,
    g.event_id,
    m.event_id,
    greatest(g.known_from, m.known_from),
    multiIf(g.valid_until IS NULL, m.end_known_from, m.valid_until IS NULL OR g.valid_until <= m.valid_until, g.end_known_from, m.end_known_from)
FROM (
    SELECT * FROM {database}.access_grants_known_at(known_at = {known_at:DateTime64(6, 'UTC')}) WHERE subject_type = 'group'
) AS g
INNER JOIN {database}.group_members_known_at(known_at = {known_at:DateTime64(6, 'UTC')}) AS m
    ON m.workspace_id = g.workspace_id AND m.group_id = g.subject_id
WHERE ifNull(greatest(g.valid_from, m.valid_from) < g.valid_until, true)
    AND ifNull(greatest(g.valid_from, m.valid_from) < m.valid_until, true)
COMMENT 'Parameterised by known_at: effective_access as far as it was known at that time.';

CREATE OR REPLACE VIEW {database}.effective_access
(
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    entity_type LowCardinality(String) COMMENT 'Kind of thing that access is to: a connection, a collection, or the workspace itself.',
    entity_id String COMMENT 'Identifier of the thing.',
    entity_name Nullable(String) COMMENT 'Its last known name.',
    member_id String COMMENT 'Identifier of the member; empty for everyone in the workspace.',
    member_username Nullable(String) COMMENT 'Name the member signs in with, the last known one.',
    role Nullable(String) COMMENT 'Role the member has this way; NULL where no event told it. Other rows may give the member a higher one.',
    role_rank Nullable(UInt8) COMMENT 'Place of the role on its scale, from 1: the highest among the rows is what the member may do.',
    through LowCardinality(String) COMMENT 'The way: direct, everyone (a default for all members), or the identifier of a group.',
    through_name Nullable(String) COMMENT 'Last known name of that group.',
    valid_from DateTime64(6, 'UTC') COMMENT 'When the member had the access this way: through a group, when both grant and membership were there. 1970-01-01 where only later events tell of it.',
    valid_until Nullable(DateTime64(6, 'UTC')) COMMENT 'When it ended, not included; NULL while it lasts. As of a time t: valid_from <= t AND (valid_until IS NULL OR valid_until > t).',
    start_recorded Bool COMMENT 'Whether the log has the events that began it.',
    granted_by Nullable(String) COMMENT 'Name of who gave the access to the member, group or everyone.',
    granted_by_id Nullable(String) COMMENT 'Identifier of who gave it.',
    added_by Nullable(String) COMMENT 'Name of who added the member to the group; NULL when it is not through a group.',
    added_by_id Nullable(String) COMMENT 'Identifier of who added the member to the group.',
    grant_event_id Nullable(UUID) COMMENT 'Event that gave the access.',
    membership_event_id Nullable(UUID) COMMENT 'Event that added the member to the group.',
    known_from DateTime64(6, 'UTC') COMMENT 'When the log had learned all of it. What was known at a time t, to the last detail: effective_access_known_at(known_at = t).',
    end_known_from Nullable(DateTime64(6, 'UTC')) COMMENT 'When the log learned that it ended.'
)
AS SELECT * FROM {database}.effective_access_known_at(known_at = toDateTime64('2299-12-31 00:00:00', 6, 'UTC'))
COMMENT 'Who could do what with which thing, and through what: one row for each way and span of time.';
