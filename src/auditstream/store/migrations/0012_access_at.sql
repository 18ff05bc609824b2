-- Events of a thing among those of a large workspace. Made by merges, as the indexes of 0011.
ALTER TABLE {database}.events ADD INDEX IF NOT EXISTS things entity_id TYPE bloom_filter(0.01) GRANULARITY 1;

-- As of a time only the newest step of a subject counts, and of a thing only its own events and those
-- of the groups that were ever given it: one reading of them, where effective_access reads all that
-- touches access in the workspace several times. Codes as in 0006. Moments are time and place in the
-- log as one number.
CREATE OR REPLACE VIEW {database}.effective_access_at
AS WITH
    through AS
    (
        SELECT assumeNotNull(e.group_id) AS group_id
        FROM {database}.events AS e
        WHERE e.workspace_id = {workspace:String} AND e.entity_id = {entity:String} AND e.group_id IS NOT NULL
    ),
    told AS
    (
        SELECT
            e.ocsf_class_uid = 3006 AS is_membership,
            e.ocsf_class_uid * 100 + e.ocsf_activity_id AS code,
            code IN (300404, 300605) AS is_end,
            e.entity_type AS entity_type,
            e.entity_id AS entity_id,
            e.entity_name AS entity_name,
            multiIf(is_end, '', e.member_id IS NOT NULL, 'member', e.group_id IS NOT NULL, 'group', 'everyone') AS subject_type,
            if(is_end, '', assumeNotNull(coalesce(e.member_id, e.group_id, ''))) AS subject_id,
            coalesce(e.member_username, e.group_name) AS subject_name,
            e.occurred_at AS occurred_at,
            bitShiftLeft(toInt128(toUnixTimestamp64Micro(e.occurred_at)), 64) + e.kafka_offset AS moment,
            e.occurred_at <= {at:DateTime64(6, 'UTC')} AS happened,
            (code IN (300502, 300604) OR ifNull(e.role_rank = 0, false), e.role, e.role_rank, coalesce(e.actor_username, e.actor_id, toString(e.actor_type)), e.actor_id, e.event_id)::Tuple(taken Bool, role Nullable(String), role_rank Nullable(UInt8), actor Nullable(String), actor_id Nullable(String), event_id UUID) AS step,
            (e.ocsf_class_uid != 3001 AND (
                code IN (300502, 300604)
                OR ifNull(e.previous_role_rank > 0, false)
                OR (e.previous_role IS NULL AND coalesce(e.member_id, e.group_id) IS NOT NULL AND endsWith(e.action, '_changed'))
            ), e.previous_role, e.previous_role_rank)::Tuple(tells_before Bool, before Nullable(String), before_rank Nullable(UInt8)) AS tells
        FROM {database}.events AS e
        WHERE e.workspace_id = {workspace:String}
            AND (e.entity_id = {entity:String} OR e.entity_id IN (SELECT group_id FROM through))
            AND e.outcome = 'success'
            AND code IN (300501, 300502, 300101, 300102, 300401, 300603, 300604, 300404, 300605)
            AND (e.ocsf_class_uid != 3004 OR is_end OR e.role IS NOT NULL)
    ),
    states AS
    (
        SELECT
            is_membership, is_end, entity_type, entity_id, subject_type, subject_id,
            argMax(t.entity_name, t.occurred_at) AS entity_name,
            argMax(t.subject_name, t.occurred_at) AS subject_name,
            maxIf(t.moment, t.happened) AS newest,
            argMaxIf(t.step, t.moment, t.happened) AS last,
            argMin(t.tells, t.moment) AS first
        FROM told AS t
        GROUP BY is_membership, is_end, entity_type, entity_id, subject_type, subject_id
    ),
    -- Since when it stands: the moment of the last step, 0 for before the log, -1 where nothing stands.
    standing AS
    (
        SELECT
            key,
            groupArrayIf((since, entity_type, entity_name, subject_type, subject_id, subject_name,
                if(since > 0, last.role, first.before), if(since > 0, last.role_rank, first.before_rank),
                if(since > 0, last.actor, NULL), if(since > 0, last.actor_id, NULL), if(since > 0, last.event_id, NULL)
            )::Tuple(since Int128, entity_type String, entity_name Nullable(String), subject_type String, subject_id String, subject_name Nullable(String), role Nullable(String), role_rank Nullable(UInt8), actor Nullable(String), actor_id Nullable(String), event_id Nullable(UUID)), NOT is_end AND NOT is_membership AND since >= 0) AS grants,
            groupArrayIf((since, entity_name, subject_id, subject_name, if(since > 0, last.actor, NULL), if(since > 0, last.actor_id, NULL), if(since > 0, last.event_id, NULL)
            )::Tuple(since Int128, group_name Nullable(String), member_id String, member_username Nullable(String), actor Nullable(String), actor_id Nullable(String), event_id Nullable(UUID)), NOT is_end AND is_membership AND since >= 0) AS members,
            maxIf(newest, is_end AND is_membership) AS group_gone,
            groupArrayIf((toString(entity_type), newest), is_end AND NOT is_membership) AS things_gone
        FROM
        (
            SELECT
                *,
                multiIf(is_membership, entity_id, subject_type = 'group', subject_id, '') AS key,
                multiIf(newest = 0, if(first.tells_before, 0, -1), last.taken, -1, newest) AS since
            FROM states
        )
        GROUP BY key
    ),
    departures AS
    (
        SELECT
            assumeNotNull(e.member_id) AS member_id,
            max(bitShiftLeft(toInt128(toUnixTimestamp64Micro(e.occurred_at)), 64) + e.kafka_offset) AS gone
        FROM {database}.events AS e
        WHERE e.workspace_id = {workspace:String} AND e.occurred_at <= {at:DateTime64(6, 'UTC')} AND e.outcome = 'success'
            AND e.ocsf_class_uid = 3001 AND e.ocsf_activity_id IN (5, 6) AND e.member_id IS NOT NULL
        GROUP BY member_id
    )
SELECT
    {workspace:String} AS workspace_id,
    g.entity_type AS entity_type,
    {entity:String} AS entity_id,
    g.entity_name AS entity_name,
    if(is_group, m.member_id, g.subject_id) AS member_id,
    multiIf(is_group, m.member_username, g.subject_type = 'member', g.subject_name, NULL) AS member_username,
    g.role AS role,
    g.role_rank AS role_rank,
    multiIf(is_group, key, g.subject_type = 'member', 'direct', 'everyone') AS through,
    if(is_group, coalesce(m.group_name, g.subject_name), NULL) AS through_name,
    fromUnixTimestamp64Micro(toInt64(bitShiftRight(if(is_group, greatest(g.since, m.since), g.since), 64)), 'UTC') AS valid_from,
    g.since > 0 AND (NOT is_group OR m.since > 0) AS start_recorded,
    g.actor AS granted_by,
    g.actor_id AS granted_by_id,
    m.actor AS added_by,
    m.actor_id AS added_by_id,
    g.event_id AS grant_event_id,
    m.event_id AS membership_event_id
FROM
(
    SELECT
        key,
        g,
        g.subject_type = 'group' AS is_group,
        if(is_group, arrayFilter(x -> x.since >= group_gone, members), [(g.since, NULL, g.subject_id, NULL, NULL, NULL, NULL)::Tuple(since Int128, group_name Nullable(String), member_id String, member_username Nullable(String), actor Nullable(String), actor_id Nullable(String), event_id Nullable(UUID))]) AS here,
        arrayMax(arrayMap(x -> if(x.1 = g.entity_type, x.2, 0), arrayPushBack(gone, ('', 0)))) AS thing_gone,
        group_gone
    FROM (SELECT key, grants, members, group_gone, groupArrayArray(things_gone) OVER () AS gone FROM standing)
    ARRAY JOIN grants AS g
    WHERE g.since >= thing_gone AND (NOT is_group OR g.since >= group_gone)
)
ARRAY JOIN here AS m
LEFT JOIN departures AS d ON d.member_id = m.member_id
WHERE m.since >= d.gone
COMMENT 'Parameterised by workspace, entity and at: effective_access of one thing as of a time, without its end, in a fraction of the time.';
