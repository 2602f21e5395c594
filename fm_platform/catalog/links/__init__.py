"""Which rows of its inputs stand behind a row of every table that Python computes.

Belongs here: the rules, a module a domain, as conditions between a row and its inputs' rows. Does not belong here: SQL
models, whose links follow from their text (``sql.links``); following links (``lineage.links``).
"""
