-- title: Who gained access that nobody reviewed?
-- description: Access that is still in force, by whatever way, and since which nobody has read the audit log of the workspace
--   but those who gave it: the giver, or who added the member to the group.
-- parameter since Nullable(DateTime64(6, 'UTC')) = NULL: From when on; 30 days ago unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT a.valid_from AS since, ifNull(a.member_username, a.member_id) AS who, ifNull(a.entity_name, a.entity_id) AS thing,
    a.role AS role, ifNull(a.through_name, a.through) AS through_what, a.granted_by AS granted_by,
    a.added_by AS added_to_group_by
FROM effective_access AS a
LEFT JOIN (
    SELECT workspace_id, groupArray((occurred_at, ifNull(actor_id, ''))) AS readings
    FROM audit_log_accesses
    WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND outcome = 'success'
    GROUP BY workspace_id
) AS r ON r.workspace_id = a.workspace_id
WHERE ({workspace:String} = '' OR a.workspace_id = {workspace:String})
    AND a.valid_until IS NULL AND a.start_recorded AND a.valid_from >= ifNull({since:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC') - INTERVAL 30 DAY)
    AND NOT arrayExists(
        x -> x.1 >= a.valid_from AND x.2 NOT IN (ifNull(a.granted_by_id, ''), ifNull(a.added_by_id, '')), r.readings)
ORDER BY since DESC, thing, who
LIMIT {limit:UInt32}
