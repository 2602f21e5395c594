"""Where a number comes from: one row or cell of the published file, with everything recorded about it.

Belongs here: reading the answer from one published file. Does not belong here: printing it, or looking
forward (``impact``).
"""
