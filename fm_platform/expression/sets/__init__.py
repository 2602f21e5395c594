"""Gene sets: reading collections and ranking them.

Belongs here: GMT collections and pre-ranked enrichment. Does not belong here: the ranking itself (``fit``).
"""
