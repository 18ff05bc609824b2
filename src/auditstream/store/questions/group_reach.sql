-- title: What does each group open, and for how many?
-- description: Groups with access: on how many things, on how many with Manage, and how many members they have. A group
--   without members is a door that opens when somebody is added.
-- parameter at Nullable(DateTime64(6, 'UTC')) = NULL: The time that is asked about; now unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT any(ifNull(g.subject_name, g.subject_id)) AS group, uniqExact(g.entity_type, g.entity_id) AS things,
    uniqExactIf((g.entity_type, g.entity_id), g.role = 'manage') AS managed, max(ifNull(m.members, 0)) AS members
FROM access_grants AS g
LEFT JOIN (
    SELECT workspace_id, group_id, uniqExact(member_id) AS members
    FROM group_members
    WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND valid_from <= ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')) AND (valid_until IS NULL OR valid_until > ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')))
    GROUP BY workspace_id, group_id
) AS m ON m.workspace_id = g.workspace_id AND m.group_id = g.subject_id
WHERE ({workspace:String} = '' OR g.workspace_id = {workspace:String}) AND g.subject_type = 'group'
    AND g.valid_from <= ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')) AND (g.valid_until IS NULL OR g.valid_until > ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')))
GROUP BY g.workspace_id, g.subject_id
ORDER BY managed DESC, things DESC, group
LIMIT {limit:UInt32}
