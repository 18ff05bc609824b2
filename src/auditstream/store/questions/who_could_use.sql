-- title: Who could use a connection or collection at a time, and through what?
-- description: Everyone with access at that time, by their own grant, through a group, or as anyone in the workspace.
-- parameter thing String: Identifier or name of the connection or collection.
-- parameter at Nullable(DateTime64(6, 'UTC')) = NULL: The time that is asked about; now unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT entity_name AS thing, if(through = 'everyone', 'everyone', ifNull(member_username, member_id)) AS who, role,
    ifNull(through_name, through) AS through_what, valid_from AS since, granted_by, added_by AS added_to_group_by
FROM effective_access
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String})
    AND entity_id IN (
        SELECT e.entity_id FROM events AS e
        WHERE ({workspace:String} = '' OR e.workspace_id = {workspace:String})
            AND (e.entity_id = {thing:String} OR e.entity_name = {thing:String}))
    AND valid_from <= ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')) AND (valid_until IS NULL OR valid_until > ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')))
ORDER BY role_rank DESC, who, through_what
LIMIT {limit:UInt32}
-- within one workspace:
WITH
    (
        SELECT arraySlice(groupUniqArray(e.entity_id), 1, 2) FROM events AS e
        WHERE e.workspace_id = {workspace:String} AND (e.entity_id = {thing:String} OR e.entity_name = {thing:String})
    ) AS things,
    ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')) AS moment,
    found AS
    (
        SELECT entity_name, member_id, member_username, role, role_rank, through, through_name, valid_from, granted_by, added_by
        FROM effective_access_at(
            workspace = {workspace:String}, entity = (SELECT if(length(things) = 1, things[1], '')),
            at = ifNull({at:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC')))
        UNION ALL
        SELECT entity_name, member_id, member_username, role, role_rank, through, through_name, valid_from, granted_by, added_by
        FROM effective_access
        WHERE length(things) > 1 AND workspace_id = {workspace:String}
            AND entity_id IN (
                SELECT e.entity_id FROM events AS e
                WHERE e.workspace_id = {workspace:String} AND (e.entity_id = {thing:String} OR e.entity_name = {thing:String}))
            AND valid_from <= moment AND (valid_until IS NULL OR valid_until > moment)
    )
SELECT entity_name AS thing, if(through = 'everyone', 'everyone', ifNull(member_username, member_id)) AS who, role,
    ifNull(through_name, through) AS through_what, valid_from AS since, granted_by, added_by AS added_to_group_by
FROM found
ORDER BY role_rank DESC, who, through_what
LIMIT {limit:UInt32}
