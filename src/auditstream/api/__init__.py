"""The audit-log endpoint: workspace tokens in, events and alerts out, each access audited."""
