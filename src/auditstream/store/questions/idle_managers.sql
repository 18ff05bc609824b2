-- title: Who has Manage and has not been seen lately?
-- description: Members who may manage something, by any way, and of whom there is no event since a time.
-- parameter since Nullable(DateTime64(6, 'UTC')) = NULL: No event of theirs since then; 30 days ago unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT ifNull(any(a.member_username), a.member_id) AS who, count() AS things, min(a.valid_from) AS managing_since,
    max(s.last_seen) AS last_event
FROM effective_access AS a
LEFT JOIN (
    SELECT workspace_id, assumeNotNull(actor_id) AS member_id, max(toNullable(occurred_at)) AS last_seen
    FROM events
    WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND actor_id IS NOT NULL
    GROUP BY workspace_id, member_id
) AS s ON s.workspace_id = a.workspace_id AND s.member_id = a.member_id
WHERE ({workspace:String} = '' OR a.workspace_id = {workspace:String})
    AND a.role = 'manage' AND a.valid_until IS NULL AND a.member_id != ''
    AND ifNull(s.last_seen < ifNull({since:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC') - INTERVAL 30 DAY), true)
GROUP BY a.workspace_id, a.member_id
ORDER BY last_event NULLS FIRST, who
LIMIT {limit:UInt32}
