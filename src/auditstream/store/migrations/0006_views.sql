-- Which actions give and which take access away is told by their OCSF type (class * 100 + activity), which
-- each row carries: a new action of the catalogue takes part without a change here.
--   300501 gives a role (rank 0 takes it away), 300502 takes it away.
--   300101 and 300102 let a person into the workspace, 300105 and 300106 shut them out.
--   300401 with a role gives it to everyone, 300404 deletes a thing.
--   300603 and 300604 move people into and out of a group, 300605 deletes it.
-- Conditions are on numbers, so that a scan costs little: a comparison of names made of them took
-- forty times as long.
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
            groupArray((e.occurred_at, e.kafka_offset, if(e.ocsf_class_uid * 100 + e.ocsf_activity_id IN (300502, 300604) OR ifNull(e.role_rank = 0, false), 2, 1), e.role, e.role_rank, e.ingested_at, coalesce(e.actor_username, e.actor_id, toString(e.actor_type)), e.actor_id, e.event_id, 
                e.previous_role, e.previous_role_rank, e.ocsf_class_uid != 3001 AND (
                    e.ocsf_class_uid * 100 + e.ocsf_activity_id IN (300502, 300604)
                    OR ifNull(e.previous_role_rank > 0, false)
                    OR (e.previous_role IS NULL AND coalesce(e.member_id, e.group_id) IS NOT NULL AND endsWith(e.action, '_changed'))
                ))::Tuple(at DateTime64(6, 'UTC'), place Int64, step Enum8('' = 0, 'given' = 1, 'removed' = 2, 'entity_deleted' = 3, 'group_deleted' = 4, 'member_removed' = 5), role Nullable(String), role_rank Nullable(UInt8), known DateTime64(6, 'UTC'), actor Nullable(String), actor_id Nullable(String), event_id UUID, before Nullable(String), before_rank Nullable(UInt8), tells_before Bool)) AS steps
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
            groupArray((e.occurred_at, e.kafka_offset, if(e.ocsf_class_uid = 3006, 4, 3), e.role, e.role_rank, e.ingested_at, coalesce(e.actor_username, e.actor_id, toString(e.actor_type)), e.actor_id, e.event_id, NULL, NULL, false)::Tuple(at DateTime64(6, 'UTC'), place Int64, step Enum8('' = 0, 'given' = 1, 'removed' = 2, 'entity_deleted' = 3, 'group_deleted' = 4, 'member_removed' = 5), role Nullable(String), role_rank Nullable(UInt8), known DateTime64(6, 'UTC'), actor Nullable(String), actor_id Nullable(String), event_id UUID, before Nullable(String), before_rank Nullable(UInt8), tells_before Bool)) AS steps
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
            groupArray((e.occurred_at, e.kafka_offset, if(e.ocsf_class_uid = 3006, 4, 5), e.role, e.role_rank, e.ingested_at, coalesce(e.actor_username, e.actor_id, toString(e.actor_type)), e.actor_id, e.event_id, NULL, NULL, false)::Tuple(at DateTime64(6, 'UTC'), place Int64, step Enum8('' = 0, 'given' = 1, 'removed' = 2, 'entity_deleted' = 3, 'group_deleted' = 4, 'member_removed' = 5), role Nullable(String), role_rank Nullable(UInt8), known DateTime64(6, 'UTC'), actor Nullable(String), actor_id Nullable(String), event_id UUID, before Nullable(String), before_rank Nullable(UInt8), tells_before Bool)) AS steps
        FROM {database}.events AS e
        WHERE e.outcome = 'success'
            AND e.ingested_at <= {known_at:DateTime64(6, 'UTC')}
            AND e.ocsf_class_uid * 100 + e.ocsf_activity_id IN (300605, 300105, 300106)
        GROUP BY workspace_id, subject_type, subject_id
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
    given.role AS role,
    given.role_rank AS role_rank,
    given.at AS valid_from,
    if(next.step = '', NULL, next.at) AS valid_until,
    given.place >= 0 AS start_recorded,
    given.actor AS granted_by,
    given.actor_id AS granted_by_id,
    if(given.place >= 0, given.event_id, NULL) AS event_id,
    multiIf(next.step = '', NULL, next.step = 'given', 'changed', toString(next.step)) AS end_reason,
    next.actor AS ended_by,
    next.actor_id AS ended_by_id,
    if(next.step = '', NULL, next.event_id) AS end_event_id,
    given.known AS known_from,
    if(next.step = '', NULL, next.known) AS end_known_from
FROM
(
    SELECT
        kept.workspace_id AS workspace_id,
        kept.is_membership AS is_membership,
        kept.entity_type AS entity_type,
        kept.entity_id AS entity_id,
        kept.entity_name AS entity_name,
        kept.subject_type AS subject_type,
        kept.subject_id AS subject_id,
        kept.subject_name AS subject_name,
        arraySort(s -> (s.at, s.place), kept.steps)[1] AS first,
        arraySort(s -> (s.at, s.place), arrayConcat(
            if(first.tells_before, [(toDateTime64(0, 6, 'UTC'), -1, 1, first.before, first.before_rank, first.known, NULL, NULL, toUUID('00000000-0000-0000-0000-000000000000'), NULL, NULL, false)::Tuple(at DateTime64(6, 'UTC'), place Int64, step Enum8('' = 0, 'given' = 1, 'removed' = 2, 'entity_deleted' = 3, 'group_deleted' = 4, 'member_removed' = 5), role Nullable(String), role_rank Nullable(UInt8), known DateTime64(6, 'UTC'), actor Nullable(String), actor_id Nullable(String), event_id UUID, before Nullable(String), before_rank Nullable(UInt8), tells_before Bool)], []),
            kept.steps,
            deletions.steps,
            departures.steps
        )) AS merged
    FROM kept
    LEFT JOIN deletions ON deletions.workspace_id = kept.workspace_id AND deletions.is_membership = kept.is_membership
        AND deletions.entity_type = kept.entity_type AND deletions.entity_id = kept.entity_id
    LEFT JOIN departures ON departures.workspace_id = kept.workspace_id
        AND departures.subject_type = kept.subject_type AND departures.subject_id = kept.subject_id
)
ARRAY JOIN merged AS given, arrayShiftLeft(merged, 1) AS next
WHERE given.step = 'given'
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

-- Which events belong to a view is told by their category and their OCSF class, which each row carries:
-- a new action of the catalogue is in the views of its category without a change here.

CREATE OR REPLACE VIEW {database}.role_changes
(
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it was done, by the producer''s clock.',
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    workspace_username LowCardinality(String) COMMENT 'Name of the workspace as it stands in URLs.',
    action LowCardinality(String) COMMENT 'What was done.',
    description LowCardinality(String) COMMENT 'The action in a few words.',
    actor_type LowCardinality(String) COMMENT 'Kind of actor: user, service_account, api_token, system or unknown.',
    actor_id Nullable(String) COMMENT 'Identifier of who did it.',
    actor_username Nullable(String) COMMENT 'Name the actor signs in with.',
    member_id Nullable(String) COMMENT 'Identifier of the person whose membership, role or access changed.',
    member_username Nullable(String) COMMENT 'Name that person signs in with.',
    role_from LowCardinality(Nullable(String)) COMMENT 'Role before; NULL where there was none, or nobody told it.',
    role_to LowCardinality(Nullable(String)) COMMENT 'Role after; NULL where it was taken away, or nobody told it.',
    rank_difference Nullable(Int8) COMMENT 'Rank of role_to less that of role_from: above 0 a role was raised.',
    is_self Bool COMMENT 'Whether the actor is the person it is about.',
    correlation_id Nullable(String) COMMENT 'Identifier shared by all events of one operation.',
    sentence String COMMENT 'Who did what to whom, in one sentence.',
    severity Enum8('informational' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5) COMMENT 'Severity of the action by the catalogue; severity >= ''high'' compares.',
    event_id UUID COMMENT 'Identifier of the event: the row of events has everything else.',
    ingested_at DateTime64(6, 'UTC') COMMENT 'When the worker read it.',
    is_late Bool COMMENT 'Whether it arrived later than it should.'
)
AS SELECT
    occurred_at,
    workspace_id,
    workspace_username,
    action,
    description,
    actor_type,
    actor_id,
    actor_username,
    member_id,
    member_username,
    previous_role AS role_from,
    role AS role_to,
    role_change AS rank_difference,
    ifNull(member_id = actor_id, false) AS is_self,
    correlation_id,
    sentence,
    severity,
    event_id,
    ingested_at,
    is_late
FROM {database}.events AS e
WHERE category = 'user_membership' AND ocsf_class_uid = 3005 AND outcome = 'success'
COMMENT 'Workspace roles that were changed: of whom, from what, to what, by whom.';

CREATE OR REPLACE VIEW {database}.membership_changes
(
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it was done, by the producer''s clock.',
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    workspace_username LowCardinality(String) COMMENT 'Name of the workspace as it stands in URLs.',
    action LowCardinality(String) COMMENT 'What was done.',
    description LowCardinality(String) COMMENT 'The action in a few words.',
    actor_type LowCardinality(String) COMMENT 'Kind of actor: user, service_account, api_token, system or unknown.',
    actor_id Nullable(String) COMMENT 'Identifier of who did it.',
    actor_username Nullable(String) COMMENT 'Name the actor signs in with.',
    member_id Nullable(String) COMMENT 'Identifier of the person whose membership, role or access changed.',
    member_username Nullable(String) COMMENT 'Name that person signs in with.',
    role_from LowCardinality(Nullable(String)) COMMENT 'Role before; NULL where there was none, or nobody told it.',
    role_to LowCardinality(Nullable(String)) COMMENT 'Role after; NULL where it was taken away, or nobody told it.',
    rank_difference Nullable(Int8) COMMENT 'Rank of role_to less that of role_from: above 0 a role was raised.',
    correlation_id Nullable(String) COMMENT 'Identifier shared by all events of one operation.',
    sentence String COMMENT 'Who did what to whom, in one sentence.',
    severity Enum8('informational' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5) COMMENT 'Severity of the action by the catalogue; severity >= ''high'' compares.',
    event_id UUID COMMENT 'Identifier of the event: the row of events has everything else.',
    ingested_at DateTime64(6, 'UTC') COMMENT 'When the worker read it.',
    is_late Bool COMMENT 'Whether it arrived later than it should.'
)
AS SELECT
    occurred_at,
    workspace_id,
    workspace_username,
    action,
    description,
    actor_type,
    actor_id,
    actor_username,
    member_id,
    member_username,
    previous_role AS role_from,
    role AS role_to,
    role_change AS rank_difference,
    correlation_id,
    sentence,
    severity,
    event_id,
    ingested_at,
    is_late
FROM {database}.events AS e
WHERE category = 'user_membership' AND outcome = 'success'
COMMENT 'Everything that changed about who is in the workspace and as what: invitations, roles, removals.';

CREATE OR REPLACE VIEW {database}.group_changes
(
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it was done, by the producer''s clock.',
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    workspace_username LowCardinality(String) COMMENT 'Name of the workspace as it stands in URLs.',
    action LowCardinality(String) COMMENT 'What was done.',
    description LowCardinality(String) COMMENT 'The action in a few words.',
    actor_type LowCardinality(String) COMMENT 'Kind of actor: user, service_account, api_token, system or unknown.',
    actor_id Nullable(String) COMMENT 'Identifier of who did it.',
    actor_username Nullable(String) COMMENT 'Name the actor signs in with.',
    group_id String COMMENT 'Identifier of the group.',
    group_name Nullable(String) COMMENT 'Name of the group at the time.',
    member_id Nullable(String) COMMENT 'Identifier of the person whose membership, role or access changed.',
    member_username Nullable(String) COMMENT 'Name that person signs in with.',
    correlation_id Nullable(String) COMMENT 'Identifier shared by all events of one operation.',
    sentence String COMMENT 'Who did what to whom, in one sentence.',
    severity Enum8('informational' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5) COMMENT 'Severity of the action by the catalogue; severity >= ''high'' compares.',
    event_id UUID COMMENT 'Identifier of the event: the row of events has everything else.',
    ingested_at DateTime64(6, 'UTC') COMMENT 'When the worker read it.',
    is_late Bool COMMENT 'Whether it arrived later than it should.'
)
AS SELECT
    occurred_at,
    workspace_id,
    workspace_username,
    action,
    description,
    actor_type,
    actor_id,
    actor_username,
    entity_id AS group_id,
    entity_name AS group_name,
    member_id,
    member_username,
    correlation_id,
    sentence,
    severity,
    event_id,
    ingested_at,
    is_late
FROM {database}.events AS e
WHERE category = 'user_groups' AND outcome = 'success'
COMMENT 'Groups made and deleted, members added and removed.';

CREATE OR REPLACE VIEW {database}.collection_changes
(
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it was done, by the producer''s clock.',
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    workspace_username LowCardinality(String) COMMENT 'Name of the workspace as it stands in URLs.',
    action LowCardinality(String) COMMENT 'What was done.',
    description LowCardinality(String) COMMENT 'The action in a few words.',
    actor_type LowCardinality(String) COMMENT 'Kind of actor: user, service_account, api_token, system or unknown.',
    actor_id Nullable(String) COMMENT 'Identifier of who did it.',
    actor_username Nullable(String) COMMENT 'Name the actor signs in with.',
    collection_id String COMMENT 'Identifier of the collection.',
    collection_name Nullable(String) COMMENT 'Name of the collection at the time.',
    member_id Nullable(String) COMMENT 'Identifier of the person whose membership, role or access changed.',
    member_username Nullable(String) COMMENT 'Name that person signs in with.',
    group_id Nullable(String) COMMENT 'Identifier of the group.',
    group_name Nullable(String) COMMENT 'Name of the group at the time.',
    role_from LowCardinality(Nullable(String)) COMMENT 'Role before; NULL where there was none, or nobody told it.',
    role_to LowCardinality(Nullable(String)) COMMENT 'Role after; NULL where it was taken away, or nobody told it.',
    rank_difference Nullable(Int8) COMMENT 'Rank of role_to less that of role_from: above 0 a role was raised.',
    correlation_id Nullable(String) COMMENT 'Identifier shared by all events of one operation.',
    sentence String COMMENT 'Who did what to whom, in one sentence.',
    severity Enum8('informational' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5) COMMENT 'Severity of the action by the catalogue; severity >= ''high'' compares.',
    event_id UUID COMMENT 'Identifier of the event: the row of events has everything else.',
    ingested_at DateTime64(6, 'UTC') COMMENT 'When the worker read it.',
    is_late Bool COMMENT 'Whether it arrived later than it should.'
)
AS SELECT
    occurred_at,
    workspace_id,
    workspace_username,
    action,
    description,
    actor_type,
    actor_id,
    actor_username,
    entity_id AS collection_id,
    entity_name AS collection_name,
    member_id,
    member_username,
    group_id,
    group_name,
    previous_role AS role_from,
    role AS role_to,
    role_change AS rank_difference,
    correlation_id,
    sentence,
    severity,
    event_id,
    ingested_at,
    is_late
FROM {database}.events AS e
WHERE category = 'workspace_collections' AND outcome = 'success'
COMMENT 'Collections made and deleted, and all changes of access to them.';

CREATE OR REPLACE VIEW {database}.connection_changes
(
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it was done, by the producer''s clock.',
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    workspace_username LowCardinality(String) COMMENT 'Name of the workspace as it stands in URLs.',
    action LowCardinality(String) COMMENT 'What was done.',
    description LowCardinality(String) COMMENT 'The action in a few words.',
    actor_type LowCardinality(String) COMMENT 'Kind of actor: user, service_account, api_token, system or unknown.',
    actor_id Nullable(String) COMMENT 'Identifier of who did it.',
    actor_username Nullable(String) COMMENT 'Name the actor signs in with.',
    connection_id String COMMENT 'Identifier of the connection.',
    connection_name Nullable(String) COMMENT 'Name of the connection at the time.',
    member_id Nullable(String) COMMENT 'Identifier of the person whose membership, role or access changed.',
    member_username Nullable(String) COMMENT 'Name that person signs in with.',
    group_id Nullable(String) COMMENT 'Identifier of the group.',
    group_name Nullable(String) COMMENT 'Name of the group at the time.',
    role_from LowCardinality(Nullable(String)) COMMENT 'Role before; NULL where there was none, or nobody told it.',
    role_to LowCardinality(Nullable(String)) COMMENT 'Role after; NULL where it was taken away, or nobody told it.',
    rank_difference Nullable(Int8) COMMENT 'Rank of role_to less that of role_from: above 0 a role was raised.',
    correlation_id Nullable(String) COMMENT 'Identifier shared by all events of one operation.',
    sentence String COMMENT 'Who did what to whom, in one sentence.',
    severity Enum8('informational' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5) COMMENT 'Severity of the action by the catalogue; severity >= ''high'' compares.',
    event_id UUID COMMENT 'Identifier of the event: the row of events has everything else.',
    ingested_at DateTime64(6, 'UTC') COMMENT 'When the worker read it.',
    is_late Bool COMMENT 'Whether it arrived later than it should.'
)
AS SELECT
    occurred_at,
    workspace_id,
    workspace_username,
    action,
    description,
    actor_type,
    actor_id,
    actor_username,
    entity_id AS connection_id,
    entity_name AS connection_name,
    member_id,
    member_username,
    group_id,
    group_name,
    previous_role AS role_from,
    role AS role_to,
    role_change AS rank_difference,
    correlation_id,
    sentence,
    severity,
    event_id,
    ingested_at,
    is_late
FROM {database}.events AS e
WHERE category = 'workspace_connections' AND outcome = 'success'
COMMENT 'Connections made and deleted, and all changes of access to them.';

CREATE OR REPLACE VIEW {database}.permission_changes
(
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it was done, by the producer''s clock.',
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    workspace_username LowCardinality(String) COMMENT 'Name of the workspace as it stands in URLs.',
    action LowCardinality(String) COMMENT 'What was done.',
    description LowCardinality(String) COMMENT 'The action in a few words.',
    actor_type LowCardinality(String) COMMENT 'Kind of actor: user, service_account, api_token, system or unknown.',
    actor_id Nullable(String) COMMENT 'Identifier of who did it.',
    actor_username Nullable(String) COMMENT 'Name the actor signs in with.',
    entity_type LowCardinality(String) COMMENT 'Kind of thing that the access is to.',
    entity_id String COMMENT 'Identifier of the thing.',
    entity_name Nullable(String) COMMENT 'Its name at the time.',
    member_id Nullable(String) COMMENT 'Identifier of the person whose membership, role or access changed.',
    member_username Nullable(String) COMMENT 'Name that person signs in with.',
    group_id Nullable(String) COMMENT 'Identifier of the group.',
    group_name Nullable(String) COMMENT 'Name of the group at the time.',
    role_from LowCardinality(Nullable(String)) COMMENT 'Role before; NULL where there was none, or nobody told it.',
    role_to LowCardinality(Nullable(String)) COMMENT 'Role after; NULL where it was taken away, or nobody told it.',
    rank_difference Nullable(Int8) COMMENT 'Rank of role_to less that of role_from: above 0 a role was raised.',
    is_self Bool COMMENT 'Whether the actor is the person it is about.',
    correlation_id Nullable(String) COMMENT 'Identifier shared by all events of one operation.',
    sentence String COMMENT 'Who did what to whom, in one sentence.',
    severity Enum8('informational' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5) COMMENT 'Severity of the action by the catalogue; severity >= ''high'' compares.',
    event_id UUID COMMENT 'Identifier of the event: the row of events has everything else.',
    ingested_at DateTime64(6, 'UTC') COMMENT 'When the worker read it.',
    is_late Bool COMMENT 'Whether it arrived later than it should.'
)
AS SELECT
    occurred_at,
    workspace_id,
    workspace_username,
    action,
    description,
    actor_type,
    actor_id,
    actor_username,
    entity_type,
    entity_id,
    entity_name,
    member_id,
    member_username,
    group_id,
    group_name,
    previous_role AS role_from,
    role AS role_to,
    role_change AS rank_difference,
    ifNull(member_id = actor_id, false) AS is_self,
    correlation_id,
    sentence,
    severity,
    event_id,
    ingested_at,
    is_late
FROM {database}.events AS e
WHERE ocsf_class_uid = 3005 AND outcome = 'success'
COMMENT 'Every change of who may do what: with the workspace, a collection or a connection, for a member, a group or everyone.';

CREATE OR REPLACE VIEW {database}.audit_log_accesses
(
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it was done, by the producer''s clock.',
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    workspace_username LowCardinality(String) COMMENT 'Name of the workspace as it stands in URLs.',
    actor_type LowCardinality(String) COMMENT 'Kind of actor: user, service_account, api_token, system or unknown.',
    actor_id Nullable(String) COMMENT 'Identifier of who did it.',
    actor_username Nullable(String) COMMENT 'Name the actor signs in with.',
    actor_on_behalf_of Nullable(String) COMMENT 'Identifier of the user for whom a token or service acted.',
    outcome LowCardinality(String) COMMENT 'How it ended: success, failure or denied.',
    outcome_reason Nullable(String) COMMENT 'Why it failed or was denied.',
    user_agent_family LowCardinality(Nullable(String)) COMMENT 'Browser or program the user agent names.',
    country LowCardinality(Nullable(String)) COMMENT 'ISO code of the country of the address.',
    network LowCardinality(Nullable(String)) COMMENT 'Organisation whose network the address belongs to.',
    request Map(String, String) COMMENT 'What was asked for: the metadata of the event, such as filters and rows returned.',
    sentence String COMMENT 'Who did what to whom, in one sentence.',
    event_id UUID COMMENT 'Identifier of the event: the row of events has everything else.',
    ingested_at DateTime64(6, 'UTC') COMMENT 'When the worker read it.'
)
AS SELECT
    occurred_at,
    workspace_id,
    workspace_username,
    actor_type,
    actor_id,
    actor_username,
    actor_on_behalf_of,
    outcome,
    outcome_reason,
    user_agent_family,
    country,
    network,
    CAST(metadata, 'Map(String, String)') AS request,
    sentence,
    event_id,
    ingested_at
FROM {database}.events AS e
WHERE category = 'audit_logs_access'
COMMENT 'Who read the audit log, or tried to.';

CREATE OR REPLACE VIEW {database}.activity_by_hour
(
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    hour DateTime('UTC') COMMENT 'Beginning of the hour, by the time of occurrence.',
    category LowCardinality(String) COMMENT 'Category of the actions.',
    events UInt64 COMMENT 'How many events.',
    actors UInt64 COMMENT 'How many different actors.',
    denied UInt64 COMMENT 'How many of them were denied.',
    failed UInt64 COMMENT 'How many of them failed.',
    raised UInt64 COMMENT 'How many of them raised a role.',
    late UInt64 COMMENT 'How many of them arrived late.'
)
AS SELECT
    workspace_id,
    toStartOfHour(occurred_at) AS hour,
    category,
    count() AS events,
    uniqExact(e.actor_id) AS actors,
    countIf(outcome = 'denied') AS denied,
    countIf(outcome = 'failure') AS failed,
    countIf(role_change > 0) AS raised,
    countIf(is_late) AS late
FROM {database}.events AS e
GROUP BY workspace_id, hour, category
COMMENT 'How much was done in each hour, by workspace and category.';

CREATE OR REPLACE VIEW {database}.actor_profile
(
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    actor_id String COMMENT 'Identifier of the actor.',
    actor_type LowCardinality(String) COMMENT 'Kind of actor, the last known one.',
    actor_username Nullable(String) COMMENT 'Name the actor signs in with, the last known one.',
    actor_role Nullable(String) COMMENT 'Workspace role of the actor, the last known one.',
    first_seen DateTime64(6, 'UTC') COMMENT 'Time of the first event.',
    last_seen DateTime64(6, 'UTC') COMMENT 'Time of the last event.',
    events UInt64 COMMENT 'How many events.',
    active_days UInt64 COMMENT 'On how many days, in UTC, there are events.',
    denied UInt64 COMMENT 'How many attempts were denied.',
    given UInt64 COMMENT 'How many times the actor gave a role.',
    taken UInt64 COMMENT 'How many times the actor took a role away.',
    raised UInt64 COMMENT 'How many times the actor raised a role.',
    actions Map(String, UInt64) COMMENT 'How often each action.',
    things UInt64 COMMENT 'How many different things were acted on, about.',
    members UInt64 COMMENT 'How many different people it was about, about.',
    countries Array(String) COMMENT 'Countries of these addresses.',
    networks Array(String) COMMENT 'Networks of these addresses.',
    programs Array(String) COMMENT 'Browsers and programs.',
    usual_hours Array(UInt8) COMMENT 'Hours of the day, in UTC, with a tenth of the events or more.'
)
AS SELECT
    * EXCEPT (by_hour, hours, counts),
    arraySort(arrayFilter((hour, count) -> count * 10 >= events, hours, counts)) AS usual_hours
FROM
(
    SELECT
        e.workspace_id AS workspace_id,
        assumeNotNull(e.actor_id) AS actor_id,
        argMax(e.actor_type, e.occurred_at) AS actor_type,
        argMax(e.actor_username, e.occurred_at) AS actor_username,
        argMax(toNullable(toString(e.actor_role)), e.occurred_at) AS actor_role,
        min(e.occurred_at) AS first_seen,
        max(e.occurred_at) AS last_seen,
        count() AS events,
        uniqExact(toDate(e.occurred_at)) AS active_days,
        countIf(e.outcome = 'denied') AS denied,
        countIf(e.ocsf_class_uid = 3005 AND e.ocsf_activity_id = 1 AND e.outcome = 'success') AS given,
        countIf(e.ocsf_class_uid = 3005 AND e.ocsf_activity_id = 2 AND e.outcome = 'success') AS taken,
        countIf(e.role_change > 0 AND e.outcome = 'success') AS raised,
        sumMap(map(toString(e.action), toUInt64(1))) AS actions,
        uniq(e.entity_id) AS things,
        uniq(e.member_id) AS members,
        arraySort(groupUniqArray(nullIf(toString(e.country), ''))) AS countries,
        arraySort(groupUniqArray(nullIf(toString(e.network), ''))) AS networks,
        arraySort(groupUniqArray(nullIf(toString(e.user_agent_family), ''))) AS programs,
        sumMap([toHour(e.occurred_at)], [toUInt64(1)]) AS by_hour,
        by_hour.1 AS hours,
        by_hour.2 AS counts
    FROM {database}.events AS e
    WHERE e.actor_id IS NOT NULL
    GROUP BY workspace_id, actor_id
)
COMMENT 'What is usual for an actor: one row for each actor of a workspace.';

CREATE OR REPLACE VIEW {database}.first_and_last_seen
(
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    actor_id String COMMENT 'Identifier of the actor.',
    actor_username Nullable(String) COMMENT 'Name the actor signs in with, the last known one.',
    kind LowCardinality(String) COMMENT 'What the value is: action, user_agent_family, user_agent_os, country, network or ip_class.',
    value String COMMENT 'The value.',
    first_seen DateTime64(6, 'UTC') COMMENT 'Time of the first event with the value.',
    last_seen DateTime64(6, 'UTC') COMMENT 'Time of the last event with the value.',
    events UInt64 COMMENT 'How many events have the value.',
    first_event_id UUID COMMENT 'The first event with the value.'
)
AS SELECT
    e.workspace_id AS workspace_id,
    assumeNotNull(e.actor_id) AS actor_id,
    argMax(e.actor_username, e.occurred_at) AS actor_username,
    seen.1 AS kind,
    assumeNotNull(seen.2) AS value,
    min(e.occurred_at) AS first_seen,
    max(e.occurred_at) AS last_seen,
    count() AS events,
    argMin(e.event_id, e.occurred_at) AS first_event_id
FROM {database}.events AS e
ARRAY JOIN [
    ('action', toNullable(toString(e.action))),
    ('user_agent_family', nullIf(toString(e.user_agent_family), '')),
    ('user_agent_os', nullIf(toString(e.user_agent_os), '')),
    ('country', nullIf(toString(e.country), '')),
    ('network', nullIf(toString(e.network), '')),
    ('ip_class', nullIf(toString(e.ip_class), ''))
] AS seen
WHERE e.actor_id IS NOT NULL AND seen.2 IS NOT NULL
GROUP BY workspace_id, actor_id, kind, value
COMMENT 'When an actor was first and last seen with each action, program, country, network and kind of address.';

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
AS WITH
    holed AS
    (
        SELECT e.source_service, e.source_instance, e.source_epoch
        FROM {database}.events AS e
        GROUP BY e.source_service, e.source_instance, e.source_epoch
        HAVING max(e.source_sequence) > count()
    ),
    counted AS
    (
        SELECT
            e.source_service AS source_service,
            e.source_instance AS source_instance,
            e.source_epoch AS source_epoch,
            arraySort(groupArray((e.source_sequence, e.occurred_at))) AS numbers
        FROM {database}.events AS e
        WHERE (e.source_service, ifNull(e.source_instance, ''), e.source_epoch) IN (SELECT source_service, ifNull(source_instance, ''), source_epoch FROM holed)
        GROUP BY e.source_service, e.source_instance, e.source_epoch
    )
SELECT
    source_service,
    source_instance,
    source_epoch,
    fromUnixTimestamp64Micro(source_epoch, 'UTC') AS epoch_began_at,
    last.1 + 1 AS missing_from,
    next.1 - 1 AS missing_to,
    next.1 - last.1 - 1 AS missing,
    if(last.1 = 0, NULL, last.2) AS after,
    next.2 AS before
FROM counted
ARRAY JOIN numbers AS next, arrayPushFront(arrayPopBack(numbers), (toInt64(0), toDateTime64(0, 6, 'UTC'))) AS last
WHERE missing > 0
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
