"""The pages under `/docs`: the contract, as people read it."""
