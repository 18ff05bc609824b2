"""Rules over several events: Sigma's correlations and our extensions, compiled to ClickHouse's SQL.

The table of events is the state: nothing is kept between two evaluations, so that a restart or a
rebalance loses no window. What a window is, when a rule fires and under which identity is said in
`model`. A rule of several events stands in a file of its own, or beside those it refers to::

    title: Many denied attempts in a row
    name: many_denied
    level: high
    correlation:
      type: event_count                  # value_count, temporal, temporal_ordered
      rules: [denied_attempt]
      group-by: [workspace_id, actor_id]
      timespan: 10m
      condition: {gte: 5}
    auditstream:
      sentence: "{actor} was denied {count} times within {timespan}"
      window: 1h                         # within it, hits of one group are one alert

An extension stands in the section `auditstream` in place of `correlation`::

    first_seen:                          # a value that was not there before
      rules: [access_granted]
      values: [actor_id]
      group-by: [workspace_id]
      history: 30d                       # how far back it would be known
      learning: 30d                      # age of the workspace's log below which nothing is new
      new-groups: true                   # also where the group itself is new

    absence:                             # A is not followed by B
      after: [connection_created]
      expected: [access_granted]
      group-by: [workspace_id, entity_id]
      timespan: 1d

    silence:                             # no event of these rules, or none at all, for a time
      rules: [heartbeat]
      group-by: [source_service]
      timespan: 15m

    effective_access:                    # a member comes to have a role, by whatever way
      rules: [group_joined, group_granted]
      entity-type: workspace_connection
      role: manage
      through: group                     # direct, any
"""
