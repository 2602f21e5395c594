"""One panel of the symptom figure: its axes, lines, labels and medians.

Belongs here: drawing into one axes box. Does not belong here: the layout of the page of panels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fm_platform.reporting.figures import drawing
from fm_platform.reporting.figures.symptom_content import Panel, SymptomContent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL_SIZE = 6.2
LABEL_GAP = 1.2 * LABEL_SIZE

_MOST_VECTOR_LINES = 300


@dataclass(frozen=True)
class Scale:
    """An axes box in points: the part with visits, the part kept for labels, the height."""

    plot: float
    gutter: float
    height: float


def _ticks(low: float, high: float) -> list[float]:
    """Both ends of the scale, and round numbers between them that keep clear of the ends."""
    share = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(share))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= share * 0.999)
    first, last = math.ceil((low + 0.35 * step) / step), math.floor((high - 0.35 * step) / step)
    return [low, *(step * k for k in range(first, last + 1)), high]


def draw_axes(axes: Axes, panel: Panel, content: SymptomContent, scale: Scale, *, rotated: bool) -> None:
    """The whole scale of the outcome, the visits with their n, and room for labels."""
    span = max(1, len(content.visits) - 1)
    left, right = -0.22 * span / 2, span + 0.08
    axes.set_xlim(left, left + (right - left) * (scale.plot + scale.gutter) / scale.plot)
    pad = 0.03 * (panel.high - panel.low)
    axes.set_ylim(panel.low - pad, panel.high + pad)
    ticks = _ticks(panel.low, panel.high)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks], size=6.2)
    axes.set_xticks(range(len(content.visits)))
    slant: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if rotated else {}
    axes.set_xticklabels([drawing.plain(visit, 16) for visit in content.visits], size=6.2, **slant)
    axes.tick_params(axis="x", pad=11)
    axes.spines["bottom"].set_bounds(left, right)
    for tick in (panel.low, panel.high):
        axes.plot([left, right], [tick, tick], color=drawing.RULE, linewidth=0.5, zorder=0)
    axes.set_title(drawing.plain(panel.label, 34), loc="left", fontsize=7.6, fontweight="bold", x=0, pad=5)
    for column, n in enumerate(np.isfinite(panel.values).sum(axis=0)):
        axes.annotate(
            f"n={n}",
            (column, 0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, -4.5),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=6.0,
            color=drawing.FAINT,
        )


def draw_lines(axes: Axes, panel: Panel, content: SymptomContent) -> None:
    """One line per participant; a missing value interrupts it."""
    many = not content.labelled
    for index, values in enumerate(panel.values):
        stratum = content.strata[content.stratum_of[index]]
        axes.plot(
            range(len(values)),
            values,
            color=stratum.colour,
            linewidth=0.5 if many else 1.1,
            alpha=0.3 if many else 1.0,
            marker=stratum.marker,
            markersize=1.2 if many else 2.8,
            rasterized=len(content.subjects) > _MOST_VECTOR_LINES,
            gid=f"line-{panel.outcome}-{index}",
        )


def draw_labels(
    axes: Axes, panel: Panel, content: SymptomContent, labels: Sequence[str], scale: Scale
) -> None:
    """Name each line at its last value.

    Labels of lines that end at one visit keep their distance; where a label is wider than the room between
    two visits, all labels of the panel do.
    """
    low, high = axes.get_ylim()
    per_point = (high - low) / scale.height
    narrow = scale.gutter + 4 < scale.plot / (len(content.visits) - 0.5)
    groups: dict[int, list[tuple[int, int]]] = {}
    for row, values in enumerate(panel.values):
        seen = np.flatnonzero(np.isfinite(values))
        if seen.size:
            column = int(seen[-1])
            groups.setdefault(column if narrow else 0, []).append((row, column))
    half = LABEL_GAP / 2
    placed: list[tuple[int, int, float]] = []
    for members in groups.values():
        wanted = [(panel.values[row, column] - low) / per_point for row, column in members]
        heights = drawing.spread(wanted, LABEL_GAP, half, scale.height - half)
        placed += [(row, column, at) for (row, column), at in zip(members, heights, strict=True)]
    for row, column, at in placed:
        value = panel.values[row, column]
        colour = content.strata[content.stratum_of[row]].colour
        axes.annotate(
            labels[row],
            (column, value),
            xytext=(9, at - (value - low) / per_point),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=LABEL_SIZE,
            color=colour,
            gid=f"label-{panel.outcome}-{row}",
            arrowprops=drawing.leader(colour, from_left=True),
            bbox={"boxstyle": "square,pad=0.05", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
        )


def draw_medians(axes: Axes, panel: Panel, content: SymptomContent) -> None:
    """The median of each stratum at each visit, of those who have a value there."""
    for index, stratum in enumerate(content.strata):
        members = panel.values[np.array(content.stratum_of) == index]
        present = [column[np.isfinite(column)] for column in members.T]
        medians = [float(np.median(values)) if values.size else np.nan for values in present]
        axes.plot(
            range(len(medians)),
            medians,
            color=stratum.colour,
            linewidth=2.2,
            marker=stratum.marker,
            markersize=4,
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=5,
            gid=f"median-{panel.outcome}-{index}",
        )
