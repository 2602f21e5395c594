"""What a delivered row reaches: tables, numbers, publications.

Belongs here: following raw rows forward. Does not belong here: looking back (``explain``), or taking
the rows away.
"""
