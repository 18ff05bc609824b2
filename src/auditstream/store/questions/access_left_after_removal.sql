-- title: Which members still have access through groups after they were removed?
-- description: Members whose own access to a thing was taken away, and who still reach it through a group or as anyone
--   in the workspace.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT ifNull(g.subject_name, g.subject_id) AS who, ifNull(g.entity_name, g.entity_id) AS thing, g.role AS role_removed,
    g.valid_until AS removed_at, g.ended_by AS removed_by, a.role AS role_left, ifNull(a.through_name, a.through) AS through_what
FROM access_grants AS g
INNER JOIN effective_access AS a
    ON a.workspace_id = g.workspace_id AND a.entity_type = g.entity_type AND a.entity_id = g.entity_id AND a.member_id = g.subject_id
WHERE ({workspace:String} = '' OR g.workspace_id = {workspace:String})
    AND g.subject_type = 'member' AND g.end_reason = 'removed'
    AND a.valid_until IS NULL AND a.through != 'direct'
ORDER BY removed_at DESC, who, thing
LIMIT {limit:UInt32}
