"""The fuzzer: attacks a real server with malformed and hostile requests, while an honest user keeps chatting.

    python -m tests.fuzz --requests 100000 --seed 7

Attacks are made from a grammar (words.py, headers.py, bodies.py, credentials.py, streams.py), cut and joined
(packets.py) and mutated. The number of an attack and the seed decide all its bytes. wire.py sends one and judge.py
looks at what came back: a 5xx status, the response of another request, a missing response. target.py checks the server
itself: its log, memory and file descriptors. A fault is tried again alone, and shortened (shrink.py).
"""
