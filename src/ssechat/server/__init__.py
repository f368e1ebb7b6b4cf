"""The processes of `ssechat serve`, and what the supervisor and its workers agree on."""

GRACE_SECONDS = 5
"""Seconds after its drain in which a worker finishes the requests under way."""

KILL_SECONDS = 8
"""Seconds after its drain at which a worker that still runs is ended."""
