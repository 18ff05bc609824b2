-- As of a time only the newest step of a subject counts, and of a thing only its own events and those of
-- the groups that have it then. Codes as in access.sql. Moments are time and place in the log as one number,
-- compared by >, as greatest() of such numbers was seen to return the lesser one.
CREATE OR REPLACE VIEW {database}.effective_access_at
AS WITH
    -- Of the thing the newest steps are found by the fewest columns, then the rest is read of those that stand:
    -- what is often changed has a step wherever one looks, so that each column is read throughout.
    grant_steps AS
    (
        SELECT
            e.ocsf_class_uid * 100 + e.ocsf_activity_id AS code,
            code = 300404 AS is_end,
            e.entity_type AS entity_type,
            multiIf(is_end, '', e.member_id IS NOT NULL, 'member', e.group_id IS NOT NULL, 'group', 'everyone') AS subject_type,
            if(is_end, '', assumeNotNull(coalesce(e.member_id, e.group_id, ''))) AS subject_id,
            bitShiftLeft(toInt128(toUnixTimestamp64Micro(e.occurred_at)), 64) + e.kafka_offset AS moment,
            e.occurred_at <= {at:DateTime64(6, 'UTC')} AS happened,
            code = 300502 OR ifNull(e.role_rank = 0, false) AS is_taken,
            e.ocsf_class_uid != 3001 AND (
                code = 300502
                OR ifNull(e.previous_role_rank > 0, false)
                OR (e.previous_role IS NULL AND coalesce(e.member_id, e.group_id) IS NOT NULL AND endsWith(e.action, '_changed'))
            ) AS tells_before
        FROM {database}.events AS e
        WHERE e.workspace_id = {workspace:String}
            AND e.entity_id = {entity:String}
            AND e.outcome = 'success'
            AND code IN (300501, 300502, 300101, 300102, 300401, 300404)
            AND (e.ocsf_class_uid != 3004 OR is_end OR e.role IS NOT NULL)
    ),
    grants AS
    (
        SELECT
            *,
            -- Since when it stands: the moment of the last step, 0 for before the log, -1 where nothing stands.
            multiIf(newest = 0, if(tells_before, 0, -1), is_taken, -1, newest) AS since,
            max(if(is_end, newest, 0)) OVER (PARTITION BY entity_type) AS thing_gone
        FROM
        (
            SELECT
                is_end, entity_type, subject_type, subject_id,
                maxIf(s.moment, s.happened) AS newest,
                argMaxIf(s.is_taken, s.moment, s.happened) AS is_taken,
                argMin(s.tells_before, s.moment) AS tells_before,
                min(s.moment) AS first,
                max(s.moment) AS last
            FROM grant_steps AS s
            GROUP BY is_end, entity_type, subject_type, subject_id
        )
        QUALIFY NOT is_end AND since >= 0 AND since >= thing_gone
    ),
    -- As one value it is read once, though it is asked several times. The step that tells of it, and the last, for names.
    (SELECT groupArray((entity_type, subject_type, subject_id, since, if(since > 0, since, first), last)::Tuple(
        entity_type String, subject_type String, subject_id String, since Int128, told Int128, last Int128)) FROM grants) AS held,
    told AS
    (
        SELECT
            bitShiftLeft(toInt128(toUnixTimestamp64Micro(e.occurred_at)), 64) + e.kafka_offset AS moment,
            e.entity_name AS entity_name,
            coalesce(e.member_username, e.group_name) AS subject_name,
            e.role AS role, e.role_rank AS role_rank, e.previous_role AS before, e.previous_role_rank AS before_rank,
            coalesce(e.actor_username, e.actor_id, toString(e.actor_type)) AS actor, e.actor_id AS actor_id, e.event_id AS event_id
        FROM {database}.events AS e
        WHERE e.workspace_id = {workspace:String}
            AND e.occurred_at IN (SELECT fromUnixTimestamp64Micro(toInt64(bitShiftRight(arrayJoin(arrayConcat(held.told, held.last)), 64)), 'UTC'))
            AND moment IN (SELECT arrayJoin(arrayConcat(held.told, held.last)))
    ),
    membership_steps AS
    (
        SELECT
            e.entity_id AS group_id,
            e.entity_name AS group_name,
            e.ocsf_class_uid * 100 + e.ocsf_activity_id AS code,
            code = 300605 AS is_end,
            if(is_end, '', assumeNotNull(coalesce(e.member_id, e.group_id, ''))) AS member_id,
            coalesce(e.member_username, e.group_name) AS member_username,
            e.occurred_at AS occurred_at,
            bitShiftLeft(toInt128(toUnixTimestamp64Micro(e.occurred_at)), 64) + e.kafka_offset AS moment,
            e.occurred_at <= {at:DateTime64(6, 'UTC')} AS happened,
            (code = 300604 OR ifNull(e.role_rank = 0, false), coalesce(e.actor_username, e.actor_id, toString(e.actor_type)), e.actor_id, e.event_id)::Tuple(taken Bool, actor Nullable(String), actor_id Nullable(String), event_id UUID) AS step,
            code = 300604 OR ifNull(e.previous_role_rank > 0, false)
                OR (e.previous_role IS NULL AND coalesce(e.member_id, e.group_id) IS NOT NULL AND endsWith(e.action, '_changed')) AS tells_before
        FROM {database}.events AS e
        WHERE e.workspace_id = {workspace:String}
            AND e.entity_id IN (SELECT arrayJoin(arrayFilter((id, kind) -> kind = 'group', held.subject_id, held.subject_type)))
            AND e.outcome = 'success'
            AND code IN (300603, 300604, 300605)
    ),
    members AS
    (
        SELECT
            *,
            multiIf(newest = 0, if(tells_before, 0, -1), last.taken, -1, newest) AS since,
            max(if(is_end, newest, 0)) OVER (PARTITION BY group_id) AS group_gone
        FROM
        (
            SELECT
                is_end, group_id, member_id,
                argMax(s.group_name, s.occurred_at) AS group_name,
                argMax(s.member_username, s.occurred_at) AS member_username,
                maxIf(s.moment, s.happened) AS newest,
                argMaxIf(s.step, s.moment, s.happened) AS last,
                argMin(s.tells_before, s.moment) AS tells_before
            FROM membership_steps AS s
            GROUP BY is_end, group_id, member_id
        )
        QUALIFY NOT is_end AND since >= 0 AND since >= group_gone
    ),
    departures AS
    (
        SELECT
            assumeNotNull(e.member_id) AS member_id,
            max(bitShiftLeft(toInt128(toUnixTimestamp64Micro(e.occurred_at)), 64) + e.kafka_offset) AS gone
        FROM {database}.events AS e
        WHERE e.workspace_id = {workspace:String} AND e.occurred_at <= {at:DateTime64(6, 'UTC')} AND e.outcome = 'success'
            AND e.ocsf_class_uid * 100 + e.ocsf_activity_id IN (300105, 300106) AND e.member_id IS NOT NULL
        GROUP BY member_id
    )
SELECT
    {workspace:String} AS workspace_id,
    w.entity_type AS entity_type,
    {entity:String} AS entity_id,
    w.entity_name AS entity_name,
    w.member_id AS member_id,
    w.member_username AS member_username,
    w.role AS role,
    w.role_rank AS role_rank,
    w.through AS through,
    w.through_name AS through_name,
    fromUnixTimestamp64Micro(toInt64(bitShiftRight(if(w.joined > w.given, w.joined, w.given), 64)), 'UTC') AS valid_from,
    w.given > 0 AND w.joined != 0 AS start_recorded,
    w.granted_by AS granted_by,
    w.granted_by_id AS granted_by_id,
    w.added_by AS added_by,
    w.added_by_id AS added_by_id,
    w.grant_event_id AS grant_event_id,
    w.membership_event_id AS membership_event_id
FROM
(
    SELECT
        h.g.entity_type AS entity_type,
        coalesce(l.entity_name, t.entity_name) AS entity_name,
        h.g.subject_type = 'group' AS is_group,
        h.g.since AS given,
        given > 0 AS is_recorded,
        if(is_group, m.since, -1) AS joined,
        coalesce(l.subject_name, t.subject_name) AS subject_name,
        if(is_group, m.member_id, h.g.subject_id) AS member_id,
        multiIf(is_group, m.member_username, h.g.subject_type = 'member', subject_name, NULL) AS member_username,
        if(is_recorded, t.role, t.before) AS role,
        if(is_recorded, t.role_rank, t.before_rank) AS role_rank,
        multiIf(is_group, h.g.subject_id, h.g.subject_type = 'member', 'direct', 'everyone') AS through,
        if(is_group, coalesce(m.group_name, subject_name), NULL) AS through_name,
        if(is_recorded, t.actor, NULL) AS granted_by,
        if(is_recorded, t.actor_id, NULL) AS granted_by_id,
        if(joined > 0, m.last.actor, NULL) AS added_by,
        if(joined > 0, m.last.actor_id, NULL) AS added_by_id,
        if(is_recorded, t.event_id, NULL) AS grant_event_id,
        if(joined > 0, m.last.event_id, NULL) AS membership_event_id
    FROM (SELECT arrayJoin(held) AS g) AS h
    LEFT JOIN told AS t ON t.moment = h.g.told
    LEFT JOIN told AS l ON l.moment = h.g.last
    LEFT JOIN members AS m ON m.group_id = h.g.subject_id
    WHERE NOT is_group OR (m.group_id != '' AND h.g.since >= m.group_gone)
) AS w
LEFT JOIN departures AS d ON d.member_id = w.member_id
WHERE if(w.is_group, w.joined, w.given) >= d.gone
COMMENT 'Parameterised by workspace, entity and at: effective_access of one thing as of a time, without its end, in a fraction of the time.';
