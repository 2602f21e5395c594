"""Questionnaires as data, and the engine that scores them.

Belongs here: the instrument files of ``library/``, the shape of such a file, the map from items to a study's
columns, integer scoring, severity bands and the fibromyalgia criteria. Does not belong here: reading study
data, judging single answers (the gate does), statistics. A new questionnaire is a new YAML file; see
``library/fiqr.yaml``.
"""
