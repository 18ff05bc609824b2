-- title: What did the log learn long after it happened?
-- description: Events that arrived late: whoever looked earlier did not see them.
-- parameter hours UInt32 = 24: How much later at least.
-- parameter since Nullable(DateTime64(6, 'UTC')) = NULL: Arrived from then on; 30 days ago unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT ingested_at AS arrived_at, occurred_at, round(delay_seconds / 3600, 1) AS hours_late, sentence, source_service, event_id
FROM events
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND delay_seconds >= {hours:UInt32} * 3600 AND ingested_at >= ifNull({since:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC') - INTERVAL 30 DAY)
ORDER BY ingested_at DESC, occurred_at DESC
LIMIT {limit:UInt32}
