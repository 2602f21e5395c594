"""The steward's site: static pages on where every column comes from, and whether its checks passed.

Belongs here: turning an inventory into pages and drawings. Does not belong here: gathering it (``lineage.inventory``),
rows of any table, or scripts that fetch something.
"""
