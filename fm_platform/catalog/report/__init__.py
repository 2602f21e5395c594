"""What readers open: report tables, the report, the steward's site and the data docs.

Belongs here: declarations and the builders behind them. Does not belong here: layout and figures.
"""
