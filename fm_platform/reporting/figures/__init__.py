"""Figures as self-contained SVG: the symptom panels and the volcano plot.

Belongs here: drawing. Does not belong here: statistics, and the HTML page that shows a figure.
"""

from fm_platform.reporting.figures.symptom_panels import symptom_caption, symptom_figure
from fm_platform.reporting.figures.volcano_plot import volcano

__all__ = ["symptom_caption", "symptom_figure", "volcano"]
