"""How samples look before anybody compares them, and how stable a comparison is.

Belongs here: normalized counts, distances, outliers, refits without one sample. Does not belong here: the fit itself.
"""
