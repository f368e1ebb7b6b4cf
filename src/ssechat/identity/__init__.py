"""Identity: accounts, passwords, tokens, sessions, and quotas on sign-ups and sign-ins."""
