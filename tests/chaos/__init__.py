"""Chaos tests: inject faults into a real server under load, and check the guarantees: `python -m tests.chaos --help`.

Every acknowledged message must be delivered once, in one order, to every device of every member, and nothing to others.
A run has its own server, private Redis and folder, all on the loopback. Linux only.

    run.py          a run from start to end: load under faults, then what only silence shows
    result.py       the options of a run, and its result
    faults.py       the schedule of faults, which the seed determines, and their injection
    server.py       the server: its processes and its Redis, kills and restarts
    data_loss.py    how Redis loses data, by design: an older state of its files, or a replica that lagged
    http.py         a strict HTTP client without retries
    writer.py       a sender that repeats each action until it is acknowledged
    group_writer.py those who act in groups; gathering.py the groups of a run; group_rounds.py rounds in new groups
    feeds.py        a feed, who publishes in it and reads it, and the checker's part for it
    device.py       a reader that loses the connection and resumes
    history.py      the history, as the clients observed it
    checker.py      history → violations of the guarantees (violation.py), a pure function
    claims.py       the messages owed to a device, and the excuses by a data loss
    groups.py       the checker's part for groups: whose time an entry of the log is of, and what is owed to whom
    group_log.py    who was a member when; inboxes.py what each user's devices saw together
    group_streams.py  inboxes against the logs; group_states.py what was shown against what was made
    imagined.py     a server that does everything right, to make histories for tests of the checker
    story.py        the trace of one message; report.py the report
    mutant.py       servers that break a guarantee on purpose, to test the checker; group_mutants.py those of groups
"""
