-- title: Who gave access to themselves?
-- description: Roles given, on a thing or in the workspace, where the giver is the one who got it; and people who added
--   themselves to a group.
-- parameter since Nullable(DateTime64(6, 'UTC')) = NULL: From when on; 30 days ago unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT occurred_at, ifNull(actor_username, actor_id) AS who, sentence, role, event_id
FROM events
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND outcome = 'success' AND member_id = actor_id
    AND ocsf_class_uid * 100 + ocsf_activity_id IN (300501, 300603)
    AND occurred_at >= ifNull({since:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC') - INTERVAL 30 DAY)
ORDER BY occurred_at DESC
LIMIT {limit:UInt32}
