"""Snapshots: what tables and queues hold, in one file and back. docs/snapshot.md has the format."""
