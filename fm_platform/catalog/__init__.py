"""The asset graph of one study as plain data, and the step that makes one asset.

Belongs here: for every table its inputs, key, columns, checks and the function of a lower room that computes
it; a module a domain. Does not belong here: Dagster (``defs``), or the computing itself (the lower rooms).
"""
