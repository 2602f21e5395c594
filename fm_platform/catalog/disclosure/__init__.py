"""What may leave the house and what must go: k-anonymity, pseudonyms, exports, erasure.

Belongs here: declarations, the door with its records, and the occasions on which people ask. Does not
belong here: how disclosure is judged.
"""
