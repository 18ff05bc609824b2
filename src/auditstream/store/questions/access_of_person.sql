-- title: What could a person reach at a time, and through what?
-- description: Every thing with the role and the way; access that everyone has is left out.
-- parameter person String: Identifier or username of the person.
-- parameter at Nullable(DateTime64(6, 'UTC')) = NULL: The time that is asked about; now unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT entity_type, ifNull(entity_name, entity_id) AS thing, role, ifNull(through_name, through) AS through_what,
    valid_from AS since, granted_by, added_by AS added_to_group_by
FROM effective_access
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String})
    AND (member_id = {person:String} OR member_username = {person:String})
    AND valid_from <= ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')) AND (valid_until IS NULL OR valid_until > ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')))
ORDER BY entity_type, role_rank DESC, thing, through_what
LIMIT {limit:UInt32}
