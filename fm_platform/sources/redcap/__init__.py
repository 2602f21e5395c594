"""REDCap: data dictionaries, flat exports, event files.

Belongs here: from an export to one tidy table a form. Does not belong here: data-quality rules (``validation``).
"""
