"""The only room that opens DuckDB: home, lock, attach, transaction, digest, ledger record, publication.

Belongs here: everything that touches ``work.duckdb``, the published file or the chain of records. Does not belong here:
what the tables mean, when they are stale, or how they are computed.
"""
