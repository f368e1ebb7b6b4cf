"""The rules of chat: permissions of users, sending and reading."""
