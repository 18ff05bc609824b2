-- title: Who was in a group at a time?
-- description: Members of the group, since when, and who added them.
-- parameter group String: Identifier or name of the group.
-- parameter at Nullable(DateTime64(6, 'UTC')) = NULL: The time that is asked about; now unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT ifNull(member_username, member_id) AS who, valid_from AS since, added_by, valid_until AS until
FROM group_members
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND (group_id = {group:String} OR group_name = {group:String}) AND valid_from <= ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')) AND (valid_until IS NULL OR valid_until > ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')))
ORDER BY who
LIMIT {limit:UInt32}
