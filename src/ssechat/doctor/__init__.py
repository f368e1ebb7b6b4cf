"""Examines a deployment from outside: asks it what a browser would, and says what a front in between does wrong."""
