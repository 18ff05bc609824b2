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

CREATE OR REPLACE VIEW {database}.actor_profile_between
AS SELECT
    * EXCEPT hours,
    arraySort(arrayFilter(hour -> countEqual(hours, hour) * 10 >= events, arrayDistinct(hours))) AS usual_hours
FROM
(
    SELECT
        e.workspace_id AS workspace_id,
        e.actor_id AS actor_id,
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
        groupArray(toHour(e.occurred_at)) AS hours
    FROM {database}.events AS e
    WHERE e.actor_id IS NOT NULL
        AND ({workspace:String} = '' OR e.workspace_id = {workspace:String})
        AND e.occurred_at >= {since:DateTime64(6, 'UTC')} AND e.occurred_at < {until:DateTime64(6, 'UTC')}
    GROUP BY workspace_id, actor_id
)
COMMENT 'Parameterised by workspace (empty: all), since and until: actor_profile by the events from since on and before until alone.';

CREATE OR REPLACE VIEW {database}.actor_profile
(
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    actor_id Nullable(String) COMMENT 'Identifier of the actor; never NULL.',
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
AS SELECT * FROM {database}.actor_profile_between(workspace = '', since = '1970-01-01 00:00:00', until = '2299-12-31 23:59:59')
COMMENT 'What is usual for an actor: one row for each actor of a workspace.';

CREATE OR REPLACE VIEW {database}.first_and_last_seen_between
AS SELECT
    e.workspace_id AS workspace_id,
    e.actor_id AS actor_id,
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
    AND ({workspace:String} = '' OR e.workspace_id = {workspace:String})
    AND e.occurred_at >= {since:DateTime64(6, 'UTC')} AND e.occurred_at < {until:DateTime64(6, 'UTC')}
GROUP BY workspace_id, actor_id, kind, value
COMMENT 'Parameterised by workspace (empty: all), since and until: first_and_last_seen by the events from since on and before until alone.';

CREATE OR REPLACE VIEW {database}.first_and_last_seen
(
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace.',
    actor_id Nullable(String) COMMENT 'Identifier of the actor; never NULL.',
    actor_username Nullable(String) COMMENT 'Name the actor signs in with, the last known one.',
    kind LowCardinality(String) COMMENT 'What the value is: action, user_agent_family, user_agent_os, country, network or ip_class.',
    value String COMMENT 'The value.',
    first_seen DateTime64(6, 'UTC') COMMENT 'Time of the first event with the value.',
    last_seen DateTime64(6, 'UTC') COMMENT 'Time of the last event with the value.',
    events UInt64 COMMENT 'How many events have the value.',
    first_event_id UUID COMMENT 'The first event with the value.'
)
AS SELECT * FROM {database}.first_and_last_seen_between(workspace = '', since = '1970-01-01 00:00:00', until = '2299-12-31 23:59:59')
COMMENT 'When an actor was first and last seen with each action, program, country, network and kind of address.';
