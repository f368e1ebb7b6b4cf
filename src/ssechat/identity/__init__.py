"""Who somebody is: accounts, passwords, tokens, sessions, and how often one may try."""
