-- title: What is open to everyone in the workspace?
-- description: Things with a default access for all members, who opened them, and since when.
-- parameter at Nullable(DateTime64(6, 'UTC')) = NULL: The time that is asked about; now unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT workspace_id, entity_type, ifNull(entity_name, entity_id) AS thing, role, valid_from AS since, granted_by AS opened_by
FROM access_grants
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND subject_type = 'everyone' AND valid_from <= ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')) AND (valid_until IS NULL OR valid_until > ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')))
ORDER BY role_rank DESC, thing
LIMIT {limit:UInt32}
