"""Measures the server as it is shipped: `python -m tests.bench --help`.

Everything is on the loopback and bounded in time. A server is started for each measurement, with a Redis of
its own and a new data folder; clients are processes of ours, with raw sockets and an epoll loop each.
Linux only: memory, CPU time and processes are read from /proc (proc(5)).

    idle.py sends.py      the measurements: what is started, in which order
    load.py               one server under load: what is done to it, and what is counted
    server.py peers.py    what is measured: ssechat, and servers of other kinds beside it:
                          nchan.py pushpin.py textbooks.py; programs.py starts and stops their processes
    generator.py          client processes; streams.py and senders.py are the two kinds
    dialects.py           the requests that they send; events.py the parser of what streams bring
    deliveries.py         was every acknowledged message delivered exactly once, and in order?
    processes.py          memory, CPU time, descriptors; saturation.py whose CPU it was
    report.py progress.py what is shown
"""
