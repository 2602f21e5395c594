"""Reads the ledger: staleness, explanation, verification.

Belongs here: answering questions from records and digests. Does not belong here: computing or writing tables.
"""
