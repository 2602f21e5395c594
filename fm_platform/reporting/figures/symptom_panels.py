"""The symptom figure: one panel per outcome, one line per participant.

Belongs here: layout and drawing of the panels. Does not belong here: gathering what they show
(symptom_content).

The lines break where a visit is missing (nothing is carried forward), the y axes show the whole scale, and
colours stand for strata: primary red, secondary blue as in Figure 1 of doi:10.3390/biomedicines11071774,
others from a colour-blind-safe palette.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from fm_platform.reporting.figures import drawing
from fm_platform.reporting.figures.symptom_axes import (
    LABEL_GAP,
    LABEL_SIZE,
    Scale,
    draw_axes,
    draw_labels,
    draw_lines,
    draw_medians,
)
from fm_platform.reporting.figures.symptom_content import SymptomContent, content_caption, symptom_content
from fm_platform.study.model import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LABEL_CHARACTERS = 14
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.38, 0.06, 0.3, 0.44
_CAPTION_SIZE = 6.4


def symptom_figure(
    scores: pl.DataFrame, participants: pl.DataFrame, outcomes: pl.DataFrame, study: Study
) -> bytes:
    """Draw every declared outcome (at most 12) over the planned visits.

    Args:
        scores: `marts.symptom_scores`.
        participants: `marts.participants`; those outside the population are not drawn.
        outcomes: `study.outcomes`, for labels, order and the ends of each scale.
        study: For the visits, the strata and their labels, and whether the data are synthetic.

    Returns:
        SVG bytes that depend on the arguments alone. Each participant's line in each panel has the id
        `line-<outcome>-<index>`, index in the order of subject ids.
    """
    content = symptom_content(scores, participants, outcomes, study)
    return _draw(content, f"Symptom course of study {study.study.id}")


def symptom_caption(
    scores: pl.DataFrame, participants: pl.DataFrame, outcomes: pl.DataFrame, study: Study
) -> str:
    """The figure's caption: n per visit, what a line is, and which direction is worse.

    Args:
        scores: As for :func:`symptom_figure`.
        participants: As for :func:`symptom_figure`.
        outcomes: As for :func:`symptom_figure`.
        study: As for :func:`symptom_figure`.
    """
    return content_caption(symptom_content(scores, participants, outcomes, study))


def _draw(content: SymptomContent, title: str) -> bytes:
    columns = _columns(len(content.panels))
    rows = max(1, math.ceil(len(content.panels) / columns))
    labels = [drawing.plain(subject, _LABEL_CHARACTERS) for subject in content.subjects]
    label_width = max((drawing.text_width(label, LABEL_SIZE) for label in labels), default=0.0)
    gutter = label_width + 12 if content.labelled else 12.0
    plot_width, height = (1.5, 1.6) if columns > 1 else (4.0, 2.4)
    if content.labelled:
        height = max(height, len(labels) * LABEL_GAP / drawing.POINTS_PER_INCH)
    cell_width = _LEFT + plot_width + gutter / drawing.POINTS_PER_INCH + _RIGHT
    tick_room = _tick_room(content.visits, plot_width)
    cell_height = _TOP + height + _BOTTOM + tick_room
    head = (0.2 if content.synthetic else 0.0) + (0.22 if len(content.strata) > 1 else 0.0)
    total_width = columns * cell_width
    caption = _wrapped(content_caption(content), total_width)
    foot = 0.1 + len(caption) * 1.4 * _CAPTION_SIZE / drawing.POINTS_PER_INCH
    total_height = head + rows * cell_height + foot
    heading = f"{title} ({drawing.SYNTHETIC})" if content.synthetic else title
    with drawing.canvas(total_width, total_height) as figure:
        for index, panel in enumerate(content.panels):
            row, column = divmod(index, columns)
            left = column * cell_width + _LEFT
            bottom = total_height - head - row * cell_height - _TOP - height
            width = cell_width - _LEFT - _RIGHT
            box = (left / total_width, bottom / total_height, width / total_width, height / total_height)
            axes = figure.add_axes(box, gid=f"panel-{panel.outcome}")
            scale = Scale(plot_width * drawing.POINTS_PER_INCH, gutter, height * drawing.POINTS_PER_INCH)
            draw_axes(axes, panel, content, scale, rotated=tick_room > 0)
            draw_lines(axes, panel, content)
            if content.labelled:
                draw_labels(axes, panel, content, labels, scale)
            else:
                draw_medians(axes, panel, content)
        _foot(figure, caption, total_width)
        if len(content.strata) > 1:
            _legend(figure, content, total_height)
        if content.synthetic:
            drawing.mark_synthetic(figure)
        return drawing.svg(figure, heading)


def _columns(panels: int) -> int:
    return {0: 1, 1: 1, 2: 2, 4: 2}.get(panels, 3)


def _tick_room(visits: Sequence[str], plot_width: float) -> float:
    """Extra inches below an axis when the visit labels must be slanted to fit, else 0."""
    spacing = plot_width * drawing.POINTS_PER_INCH / max(1, len(visits) - 1 + 0.5)
    widest = max((drawing.text_width(drawing.plain(visit, 16), 6.2) for visit in visits), default=0.0)
    return 0.0 if widest + 3 <= spacing else 0.75 * widest / drawing.POINTS_PER_INCH


def _legend(figure: Figure, content: SymptomContent, total_height: float) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=each.colour, marker=each.marker, markersize=3.5) for each in content.strata
    ]
    counts = [content.stratum_of.count(index) for index in range(len(content.strata))]
    names = [
        f"{drawing.plain(each.label, 30)} (n = {n})" for each, n in zip(content.strata, counts, strict=True)
    ]
    top = 1 - (0.22 if content.synthetic else 0.03) / total_height
    figure.legend(
        handles,
        names,
        loc="upper center",
        ncols=len(names),
        frameon=False,
        fontsize=7,
        bbox_to_anchor=(0.5, top),
    )


def _wrapped(caption: str, width: float) -> list[str]:
    """The caption's lines in a figure of this many inches."""
    characters = int((width - 0.1) * drawing.POINTS_PER_INCH / (0.61 * _CAPTION_SIZE))
    return textwrap.wrap(drawing.plain(caption, 900), max(30, characters))


def _foot(figure: Figure, caption: Sequence[str], total_width: float) -> None:
    figure.text(
        0.06 / total_width,
        0.05 / figure.get_figheight(),
        "\n".join(caption),
        fontsize=_CAPTION_SIZE,
        color=drawing.FAINT,
        va="bottom",
        ha="left",
        linespacing=1.3,
        gid="caption",
    )
