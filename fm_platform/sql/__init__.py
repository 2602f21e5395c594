"""SQL models: loaded from dbt_like_sql/, checked, and traced by column and by row.

Belongs here: reading models, refusing what cannot be traced or repeated, column lineage, links. Does
not belong here: running SQL (the warehouse does) and Python tables.
"""
