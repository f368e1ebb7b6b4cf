"""ssechat: a chat server that speaks plain HTTP."""

__version__ = "0.1.0"
