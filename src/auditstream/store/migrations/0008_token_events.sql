CREATE TABLE IF NOT EXISTS {database}.token_events
(
    token_id String COMMENT 'Identifier of the workspace token: the user name of HTTP Basic.',
    happened_at DateTime64(6, 'UTC') COMMENT 'When it was done.',
    kind Enum8('created' = 1, 'rotated' = 2, 'revoked' = 3) COMMENT 'What was done to the token.',
    done_by String COMMENT 'Who did it: user and host of the command.',
    workspace_id LowCardinality(String) COMMENT 'Identifier of the workspace that the token reads.',
    workspace_username LowCardinality(String) COMMENT 'Name of that workspace as it stands in URLs.',
    name String COMMENT 'What the token is for, in the words of who made it.',
    scopes Array(LowCardinality(String)) COMMENT 'What the token may do: read, export, alerts.',
    expires_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the token ends by itself.',
    secret_hash String COMMENT 'Argon2 hash of the secret that was made; empty when none was.',
    old_secrets_until Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when earlier secrets are taken after a rotation.'
)
ENGINE = MergeTree
ORDER BY (token_id, happened_at, kind)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1
COMMENT 'One row for each thing done to a workspace token; rows are only added.';
