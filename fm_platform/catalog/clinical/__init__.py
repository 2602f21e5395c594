"""The assets of the clinical half: raw files to analysis results data and data queries.

Belongs here: declarations and the builders behind them. Does not belong here: rules, scores or statistics themselves.
"""
