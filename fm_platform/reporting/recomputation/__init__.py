"""The report's numbers, with what recomputes them elsewhere: a folder of CSV files and scripts.

Belongs here: which columns are numbers and how they are printed, the folder's README, the scripts that a reader runs.
Does not belong here: reading a publication, and who may have the folder (``catalog.disclosure``).
"""
