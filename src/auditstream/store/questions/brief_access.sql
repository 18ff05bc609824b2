-- title: Who had access only for a short time?
-- description: Access that was taken away again within minutes: a mistake, or a visit that was to leave no trace.
-- parameter minutes UInt32 = 60: How long the access lasted at most.
-- parameter since Nullable(DateTime64(6, 'UTC')) = NULL: From when on; 30 days ago unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT valid_from AS since, dateDiff('second', valid_from, assumeNotNull(valid_until)) AS seconds,
    subject_type AS kind, ifNull(subject_name, subject_id) AS who, ifNull(entity_name, entity_id) AS thing, role,
    granted_by, ended_by, event_id
FROM access_grants
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND start_recorded AND end_reason = 'removed'
    AND valid_until <= valid_from + toIntervalMinute({minutes:UInt32}) AND valid_from >= ifNull({since:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC') - INTERVAL 30 DAY)
ORDER BY since DESC, who, thing
LIMIT {limit:UInt32}
-- within one workspace:
SELECT valid_from AS since, dateDiff('second', valid_from, assumeNotNull(valid_until)) AS seconds,
    subject_type AS kind, ifNull(subject_name, subject_id) AS who, ifNull(entity_name, entity_id) AS thing, role,
    granted_by, ended_by, event_id
FROM access_grants_between(
    workspace = {workspace:String}, since = ifNull({since:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC') - INTERVAL 30 DAY), until = '2299-12-31 23:59:59')
WHERE end_reason = 'removed'
    AND valid_until <= valid_from + toIntervalMinute({minutes:UInt32})
ORDER BY since DESC, who, thing
LIMIT {limit:UInt32}
