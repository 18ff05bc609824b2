"""The audit log of a workspace: producers' SDK, worker, store and alerts."""
