"""``fm export recomputation``: the report's numbers with what recomputes them, brought to the door.

Belongs here: reading the publication into the folder's CSV files, pseudonyms, the export itself. Does not belong here:
the scripts and how numbers are printed (``reporting.recomputation``), the door (``disclosure.leaving``).
"""
