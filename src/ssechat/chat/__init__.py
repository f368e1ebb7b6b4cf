"""The rules of chat: who may do what."""
