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
