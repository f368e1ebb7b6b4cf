"""The fuzzer: attacks a real server with malformed and hostile requests, while an honest user keeps chatting.

    python -m tests.fuzz --requests 100000 --seed 7

Attacks are made from a grammar (words.py, heads.py, bodies.py, credentials.py, streams.py), cut and joined
(packets.py) and mutated. The number of an attack and the seed decide all its bytes. wire.py sends one and judge.py
looks at what came back: a status that blames the server, an answer that is not this request's, none at all. target.py
looks at the server itself: what it logs, its memory, its descriptors. A fault is tried again alone and made as short
as it gets (shrink.py).
"""
