-- title: What did a person change in their last week?
-- description: The days before the last thing the person did, not before today: what somebody did before they left.
-- parameter person String: Identifier or username of the person.
-- parameter days UInt32 = 7: Length of the time in days.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT occurred_at, sentence, outcome, event_id
FROM events
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String})
    AND (actor_id = {person:String} OR actor_username = {person:String})
    AND category != 'audit_logs_access'
    AND occurred_at > (
        SELECT max(occurred_at) FROM events
        WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND (actor_id = {person:String} OR actor_username = {person:String})
    ) - toIntervalDay({days:UInt32})
ORDER BY occurred_at DESC
LIMIT {limit:UInt32}
