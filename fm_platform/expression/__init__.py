"""Differential expression: sample resolution, designs and contrasts, the engine, and the tables they fill.

Belongs here: everything between a count matrix with its sample sheet and a table of test results. Does not
belong here: reading files (``sources``), writing tables (``warehouse``) and drawing (``reporting``).
"""
