"""The worker: reads the events topic, runs the pipeline, appends to the table."""
