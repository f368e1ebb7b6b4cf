"""People who chat, each over one kind of connection: what a browser or an app does, with raw connections.

person.py is what all have in common; http1.py and http2.py talk with ssechat, websocket.py, socketio.py and polling.py
with the others; making.py makes them of a `Spec`.
"""
