-- title: What was rejected, and why?
-- description: Records that could not become events, by reason and field.
-- parameter since Nullable(DateTime64(6, 'UTC')) = NULL: From when on; 30 days ago unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT reason, field, count() AS records, min(rejected_at) AS first_time, max(rejected_at) AS last_time,
    argMax(message, rejected_at) AS for_example, argMax(position, rejected_at) AS position
FROM rejects
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND rejected_at >= ifNull({since:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC') - INTERVAL 30 DAY)
GROUP BY reason, field
ORDER BY records DESC, reason, field
LIMIT {limit:UInt32}
