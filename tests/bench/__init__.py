"""Measures the server as it is shipped: `python -m tests.bench --help`.

Everything is on the loopback and bounded in time. Each measurement starts a server, with its own Redis and a new data
folder; clients are processes with raw sockets and an epoll loop each. Linux only: memory, CPU time and processes are
read from /proc (proc(5)).

    idle.py sends.py fanout.py groups.py storm.py churn.py ways.py
                          the measurements: which programs start, in which order, and the table
    group_*.py            the parts of groups.py: group_people.py, group_streams.py are the people and what they get
    load.py               one server under load, and its counts
    server.py peers.py    the measured servers: ssechat, and servers of other kinds:
                          nchan.py pushpin.py textbooks.py; programs.py starts and stops their processes
    generator.py          client processes: streams.py (arrivals.py: their results), senders.py,
                          reconnecting.py for storms, probes.py for pauses of a loop; asking.py for requests;
                          connections.py carries requests and responses
    others.py             other people, who talk while something else is measured
    dialects.py           the requests that they send; events.py the parser of streams
    deliveries.py         checks that every acknowledged message was delivered exactly once, in order
    processes.py          memory, CPU time, descriptors; saturation.py whose CPU was used
    verdict/              what is said against SSE for chat, over a line with a round trip, and beside rivals
    options.py            options of the commands; progress.py report.py tables.py plot.py output
"""
