-- What has arrived since is asked for by offset: within a workspace, which is in the order of time,
-- offsets rise with it, so that a granule's least and greatest offset leave little to read.
ALTER TABLE {database}.events ADD INDEX IF NOT EXISTS kafka_offsets kafka_offset TYPE minmax GRANULARITY 1;
