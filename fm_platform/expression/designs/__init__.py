"""What is compared: sample sheets, formulas, contrasts, and whether the samples can answer.

Belongs here: tying samples to counts, model matrices, plans of contrasts, rank and pairing. Does not belong here:
fitting (``fit``).
"""
