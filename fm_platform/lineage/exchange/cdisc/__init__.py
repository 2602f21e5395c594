"""What regulators read, made from a publication: Define-XML with analysis results metadata.

Belongs here: the formats of CDISC. Does not belong here: letting anything out (``catalog.disclosure``).
"""
