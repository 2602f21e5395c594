"""What can identify a person: tags of columns, keyed pseudonyms, k-anonymity.

Belongs here: pure functions on names and frames. Does not belong here: statistics, reading the warehouse, exports.
"""
