-- title: Who has Manage on anything right now?
-- description: Members with the role manage on a connection or collection, by any way, and who gave it.
-- parameter at Nullable(DateTime64(6, 'UTC')) = NULL: The time that is asked about; now unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT if(through = 'everyone', 'everyone', ifNull(member_username, member_id)) AS who, entity_type,
    ifNull(entity_name, entity_id) AS thing, ifNull(through_name, through) AS through_what, valid_from AS since, granted_by
FROM effective_access
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND role = 'manage' AND valid_from <= ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')) AND (valid_until IS NULL OR valid_until > ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')))
ORDER BY who, entity_type, thing, through_what
LIMIT {limit:UInt32}
