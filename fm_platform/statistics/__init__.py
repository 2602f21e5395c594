"""Exact statistics for small paired samples: tests, location, effect sizes, proportions, multiplicity.

Belongs here: functions on numbers, and the tables of ``stats`` built from them. Does
not belong here: scoring, reading the warehouse, formatting for a report. Changes are whole numbers or fractions
throughout: floats would break ties. The sign convention everywhere is change = post - base.
"""

ENGINE_VERSION = "1"
"""Printed in every result row; raised when a method changes so that a number could."""
