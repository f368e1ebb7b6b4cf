"""The matrix of rights: every route, asked by everybody, at every time; what each must have, and must not."""
