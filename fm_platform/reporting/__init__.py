"""Tables, figures and the printed report.

Belongs here: how numbers are written, laid out and drawn. Does not belong here: computing a statistic,
reading the warehouse, deciding what is stale.
"""
