"""Real servers for tests: Apache Kafka and ClickHouse, started, killed, paused and restarted."""
