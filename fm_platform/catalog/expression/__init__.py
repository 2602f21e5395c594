"""The assets of the expression half: counts, quality, contrasts and gene sets.

Belongs here: declarations and the builders behind them. Does not belong here: the engine.
"""
