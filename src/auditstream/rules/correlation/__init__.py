"""Rules over several events: Sigma's correlations and our extensions, compiled to ClickHouse's SQL.

The table of events is the state: nothing is kept between two evaluations, so that a restart or a
rebalance loses no window. What a window is, when a rule fires and under which identity is said in
`model`.
"""
