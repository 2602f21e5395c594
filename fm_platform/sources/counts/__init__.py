"""Count matrices in every layout that is delivered.

Belongs here: from files to one typed matrix with row ids and lines. Does not belong here: the sample sheet,
normalization.
"""
