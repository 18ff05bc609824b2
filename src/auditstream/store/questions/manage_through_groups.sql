-- title: Who has Manage only because of a group?
-- description: Members who manage a thing through a group without a grant of their own: who added them gave them Manage,
--   knowingly or not.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT ifNull(member_username, member_id) AS who, entity_type, ifNull(entity_name, entity_id) AS thing,
    ifNull(through_name, through) AS through_what, valid_from AS since, added_by AS added_to_group_by, granted_by
FROM effective_access
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND role = 'manage' AND valid_until IS NULL AND through NOT IN ('direct', 'everyone')
    AND (workspace_id, entity_type, entity_id, member_id) NOT IN (
        SELECT workspace_id, entity_type, entity_id, subject_id FROM access_grants
        WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND subject_type = 'member' AND role = 'manage' AND valid_until IS NULL)
ORDER BY since DESC, who, thing
LIMIT {limit:UInt32}
