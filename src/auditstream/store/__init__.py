"""ClickHouse: connection, migrations, append, watermark, history, queries."""
