-- title: Is anything missing from the log?
-- description: Numbers missing from what each producer counted, over all workspaces: lost, rejected, or still under way.
-- parameter limit UInt32 = 1000: Rows at most.
SELECT source_service, source_instance, epoch_began_at, missing_from, missing_to, missing, after, before
FROM sequence_gaps
ORDER BY before DESC, source_service, source_instance, missing_from
LIMIT {limit:UInt32}
