"""Following links over several tables: from a cell back to delivered rows, from delivered rows forward to cells.

Belongs here: composing the links that a publication holds, when somebody asks. Does not belong here: deriving them from
SQL (``sql.links``), declaring them (``catalog.links``).
"""
