"""The forms of a text: what can be read, what is safe to print, what is an origin or a network."""
