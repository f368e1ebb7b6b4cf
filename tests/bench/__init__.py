"""Measures the server as it is shipped: `python -m tests.bench --help`.

Everything is on the loopback and bounded in time. A server is started for each measurement, with a Redis of
its own and a new data folder; clients are processes of ours, with raw sockets and an epoll loop each.
Linux only: memory, CPU time and processes are read from /proc (proc(5)).

    idle.py sends.py fanout.py storm.py churn.py ways.py
                          the measurements: what is started, in which order, and the table of it
    load.py               one server under load: what is done to it, and what is counted
    server.py peers.py    what is measured: ssechat, and servers of other kinds beside it:
                          nchan.py pushpin.py textbooks.py; programs.py starts and stops their processes
    generator.py          client processes: streams.py (arrivals.py is what they bring back), senders.py,
                          reconnecting.py for storms, probes.py for pauses of a loop
    dialects.py           the requests that they send; events.py the parser of what streams bring
    deliveries.py         was every acknowledged message delivered exactly once, and in order?
    processes.py          memory, CPU time, descriptors; saturation.py whose CPU it was
    options.py            what can be asked for; progress.py report.py tables.py plot.py what is shown
"""
