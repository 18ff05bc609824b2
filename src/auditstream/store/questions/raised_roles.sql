-- title: Whose role in the workspace was raised?
-- description: Changes of workspace roles upwards, the newest first.
-- parameter since Nullable(DateTime64(6, 'UTC')) = NULL: From when on; 30 days ago unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT occurred_at, ifNull(member_username, member_id) AS who, role_from, role_to, rank_difference,
    ifNull(actor_username, actor_id) AS raised_by, is_self, event_id
FROM role_changes
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND rank_difference > 0 AND occurred_at >= ifNull({since:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC') - INTERVAL 30 DAY)
ORDER BY occurred_at DESC
LIMIT {limit:UInt32}
