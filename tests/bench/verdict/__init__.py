"""What is said against SSE for chat, tried: `python -m tests.bench verdict --help`.

command.py            the command; claims.py what is said and what came of it; text.py page.py output
line.py               a line with a round trip: namespaces.py and pump.py, or delaying.py, a proxy; wire.py its numbers
far.py                the process of the clients, at its far end; people/ are the clients
measures.py           sends and hard cases; scenes.py what people do in them; stacks.py chats.py socketio/ servers
rivals/               servers that people would pick: memory, CPU, messages a second, what a kill -9 loses
costs.py kernel.py    the figures of `ssechat size`
"""
