"""The engine: from counts and a design matrix to one result a gene.

Belongs here: size factors, dispersions, coefficients, tests, shrinkage, and the arithmetic beneath them. Does not
belong here: reading files, sample sheets, or what a study declares (``designs``).
"""
