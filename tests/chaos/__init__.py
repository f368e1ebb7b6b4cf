"""Chaos tests: inject faults into a real server under load, and check the guarantees: `python -m tests.chaos --help`.

What was acknowledged must be delivered: once, in one order, to every device of every member. Everything is on
the loopback, with a server, a private Redis and a folder of its own. Linux only.

    run.py          a run from start to end: load under faults, then what only silence shows
    faults.py       the schedule of faults, which the seed decides, and how each is done
    server.py       the server: its processes, its Redis, its death and its return
    data_loss.py    how Redis loses data, by design: an older state of its files, or a replica that lagged
    http.py         requests and streams as bytes: nothing that repeats or forgives by itself
    writer.py       somebody who sends, and repeats until it is acknowledged
    device.py       somebody who reads, loses the connection and resumes
    history.py      what happened, as the people saw it
    checker.py      history → what of the promise was broken: pure
    claims.py       what a device may claim, and what a loss of data excuses
    story.py        what happened to one message; report.py: what is shown
    mutant.py       servers that break the promise on purpose, to see that it is noticed
"""
