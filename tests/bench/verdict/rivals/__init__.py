"""The servers that people would pick instead: how each is started, how its people talk, and what is measured of them.

rival.py is what all have in common; running.py measures; measures here are on the loopback, with no line between.
"""
