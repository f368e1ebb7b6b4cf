"""HTTP: who may ask, what was asked, and how it is answered."""
