-- title: Who tried what they may not do?
-- description: Attempts that were denied or failed, by who tried what.
-- parameter since Nullable(DateTime64(6, 'UTC')) = NULL: From when on; 30 days ago unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT ifNull(actor_username, actor_id) AS who, description AS tried, outcome, count() AS times,
    min(occurred_at) AS first_time, max(occurred_at) AS last_time, argMax(sentence, occurred_at) AS for_example
FROM events
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND outcome != 'success' AND occurred_at >= ifNull({since:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC') - INTERVAL 30 DAY)
GROUP BY who, tried, outcome
ORDER BY times DESC, last_time DESC
LIMIT {limit:UInt32}
