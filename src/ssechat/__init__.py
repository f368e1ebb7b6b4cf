"""ssechat: a chat server that speaks plain HTTP."""

__version__ = "0.2.0.dev0"
