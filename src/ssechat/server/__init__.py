"""The processes of `ssechat serve`, and the HTTP protocol of the workers."""

GRACE_SECONDS = 5
"""Seconds after the drain in which a worker may finish open requests."""

KILL_SECONDS = 8
"""Seconds after the drain at which a worker that still runs is killed."""
