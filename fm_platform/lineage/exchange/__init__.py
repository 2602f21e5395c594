"""Lineage in the formats of others: OpenLineage events and RO-Crates.

Belongs here: the inventory of a publication and its translation. Does not belong here: sending anything anywhere.
"""
