-- title: Who has read the audit log?
-- description: Readers with how often, from how many programs, and when first and last.
-- parameter since Nullable(DateTime64(6, 'UTC')) = NULL: From when on; 30 days ago unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT ifNull(actor_username, actor_id) AS who, actor_type, count() AS times, countIf(outcome != 'success') AS refused,
    uniqExact(user_agent_family) AS programs, min(occurred_at) AS first_time, max(occurred_at) AS last_time
FROM audit_log_accesses
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND occurred_at >= ifNull({since:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC') - INTERVAL 30 DAY)
GROUP BY who, actor_type
ORDER BY times DESC, who
LIMIT {limit:UInt32}
