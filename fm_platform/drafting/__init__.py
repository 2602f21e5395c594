"""New study folders: empty ones, and drafts from what somebody exported.

Belongs here: writing study.yaml and template files. Does not belong here: reading a finished study (``study``).
"""
