"""Declared lineage against the effect of a change: the harness that changes and compares, and the judges of it."""
