-- title: What did somebody do, or come from, for the first time?
-- description: Actions, programs, systems, countries and networks that an actor had not been seen with before; what came
--   with the first event of an actor is left out.
-- parameter since Nullable(DateTime64(6, 'UTC')) = NULL: From when on; 30 days ago unless given.
-- parameter workspace String = '': Identifier of the workspace; empty for all.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT first_seen, ifNull(actor_username, actor_id) AS who, kind, value, events AS times_since, first_event_id AS event_id
FROM first_and_last_seen
WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}) AND first_seen >= ifNull({since:Nullable(DateTime64(6, 'UTC'))}, now64(6, 'UTC') - INTERVAL 30 DAY)
    AND (workspace_id, actor_id, first_seen) NOT IN (
        SELECT workspace_id, actor_id, first_seen FROM actor_profile WHERE ({workspace:String} = '' OR workspace_id = {workspace:String}))
ORDER BY first_seen DESC, who, kind, value
LIMIT {limit:UInt32}
