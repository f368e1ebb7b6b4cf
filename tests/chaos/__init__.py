"""Chaos tests: inject faults into a real server under load, and check the guarantees: `python -m tests.chaos --help`.

Every acknowledged message must be delivered once, in one order, to every device of every member. A run has its own
server, private Redis and folder, all on the loopback. Linux only.

    run.py          a run from start to end: load under faults, then what only silence shows
    faults.py       the schedule of faults, which the seed determines, and their injection
    server.py       the server: its processes and its Redis, kills and restarts
    data_loss.py    how Redis loses data, by design: an older state of its files, or a replica that lagged
    http.py         a strict HTTP client without retries
    writer.py       a sender that retries until the message is acknowledged
    device.py       a reader that loses the connection and resumes
    history.py      the history, as the clients observed it
    checker.py      history → violations of the guarantees, a pure function
    claims.py       the messages owed to a device, and the excuses by a data loss
    story.py        the trace of one message; report.py the report
    mutant.py       servers that break a guarantee on purpose, to test the checker
"""
