"""What the HTTP API promises, as data: its operations, their answers and errors; and the contract made of it."""
