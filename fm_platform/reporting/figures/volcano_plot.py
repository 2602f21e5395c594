"""The volcano plot of one contrast.

Belongs here: layout and drawing. Does not belong here: testing genes, or choosing the cut-off.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fm_platform.reporting.figures import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMED_GENES = 10
"""Significant genes that carry their name, smallest p-values first."""

_WIDTH, _HEAD = 6.4, 0.52
_BOX = (0.62, 0.5, 5.6, 3.3)
_FOOT_SIZE = 6.2
_FOOT_LINE = 1.4 * _FOOT_SIZE / drawing.POINTS_PER_INCH
_SIZE = 6.4
_GAP = 1.35 * _SIZE
_SMALLEST_P = 1e-300
_COLOURS = {"higher": drawing.RED, "lower": drawing.BLUE, "neither": "#9aa3ad"}


@dataclass(frozen=True)
class _Points:
    genes: list[str]
    x: np.ndarray
    y: np.ndarray
    significant: np.ndarray
    cutoff: float | None
    """-log10 of the largest p-value whose adjusted value is below alpha."""
    not_tested: int
    reach: float
    """Half width of the drawn fold changes; what lies beyond is drawn at the edge."""


def volcano(
    results: pl.DataFrame,
    contrast: str,
    alpha: float,
    title: str,
    *,
    exploratory: bool = False,
    synthetic: bool = False,
) -> bytes:
    """Fold change against p-value for every tested gene of a contrast.

    Args:
        results: `expression.de_results`.
        contrast: Which of its contrasts.
        alpha: Cut-off on the adjusted p-value; a dashed line marks where it falls on the p axis.
        title: Printed above.
        exploratory: Adds a watermark.
        synthetic: Writes on the figure that the data are made up.

    Returns:
        SVG bytes that depend on the arguments alone. The points are an embedded bitmap (tens of thousands of
        them), all else is vector.
    """
    points = _points(results.filter(pl.col("contrast") == contrast), alpha)
    foot = _foot(points, alpha, exploratory=exploratory)
    left, above_foot, width, height = _BOX
    bottom = above_foot + len(foot) * _FOOT_LINE
    total = bottom + height + _HEAD
    with drawing.canvas(_WIDTH, total) as figure:
        axes = figure.add_axes((left / _WIDTH, bottom / total, width / _WIDTH, height / total))
        if exploratory:
            _watermark(axes)
        _scatter(axes, points)
        _threshold(axes, points, alpha)
        _names(axes, points, width * drawing.POINTS_PER_INCH, height * drawing.POINTS_PER_INCH)
        top = 1 - (0.24 if synthetic else 0.08) / total
        figure.text(left / _WIDTH, top, drawing.plain(title, 90), fontsize=9, fontweight="bold", va="top")
        figure.text(
            left / _WIDTH,
            0.07 / total,
            "\n".join(foot),
            fontsize=_FOOT_SIZE,
            color=drawing.FAINT,
            va="bottom",
            linespacing=1.4,
            gid="caption",
        )
        if synthetic:
            drawing.mark_synthetic(figure)
        marks = [drawing.SYNTHETIC] * synthetic + ["exploratory"] * exploratory
        return drawing.svg(figure, f"Volcano plot: {title}" + (f" ({', '.join(marks)})" if marks else ""))


def _points(results: pl.DataFrame, alpha: float) -> _Points:
    usable = pl.col("pvalue").is_not_null() & pl.col("log2_fold_change").is_not_null()
    tested = results.filter(usable).filter(
        pl.col("pvalue").is_not_nan(), pl.col("log2_fold_change").is_finite()
    )
    tested = tested.sort("pvalue", "gene_id")
    x = tested["log2_fold_change"].cast(pl.Float64).to_numpy()
    p = tested["pvalue"].cast(pl.Float64).to_numpy()
    adjusted = tested["padj"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    significant = adjusted < alpha
    y = -np.log10(np.maximum(p, _SMALLEST_P))
    reach = 1.0
    if x.size:
        inner = float(np.quantile(np.abs(x), 0.995))
        reach = max(reach, inner, *np.abs(x[significant]).tolist())
    return _Points(
        genes=tested["gene_id"].to_list(),
        x=x,
        y=y,
        significant=significant,
        cutoff=float(y[significant].min()) if significant.any() else None,
        not_tested=results.height - tested.height,
        reach=reach * 1.04,
    )


def _scatter(axes: Axes, points: _Points) -> None:
    from matplotlib.ticker import MaxNLocator

    shown = np.clip(points.x, -points.reach, points.reach)
    beyond = np.abs(points.x) > points.reach
    groups = {
        "neither": ~points.significant,
        "higher": points.significant & (points.x > 0),
        "lower": points.significant & (points.x <= 0),
    }
    for name, members in groups.items():
        for inside, marker, size in ((~beyond, "o", 5.0), (beyond, "D", 7.0)):
            chosen = members & inside
            axes.scatter(
                shown[chosen],
                points.y[chosen],
                s=size if name == "neither" else size * 1.8,
                marker=marker,
                c=_COLOURS[name],
                linewidths=0,
                alpha=0.55 if name == "neither" else 0.9,
                rasterized=True,
                zorder=2 if name == "neither" else 3,
            )
    gutter = 1.55 if points.significant.any() else 1.05
    axes.set_xlim(-points.reach * gutter, points.reach * gutter)
    axes.set_ylim(0, max(1.5, float(points.y.max()) if points.y.size else 0.0) * 1.06)
    axes.xaxis.set_major_locator(MaxNLocator(9, steps=[1, 2, 5, 10]))
    axes.axvline(0, color=drawing.RULE, linewidth=0.7, zorder=1)
    axes.set_xlabel("log2 fold change", fontsize=7.5)
    axes.set_ylabel("−log10 p", fontsize=7.5)


def _threshold(axes: Axes, points: _Points, alpha: float) -> None:
    if points.cutoff is None:
        return
    axes.axhline(
        points.cutoff, color=drawing.FAINT, linewidth=0.8, linestyle=(0, (4, 3)), gid="threshold", zorder=4
    )
    axes.annotate(
        f"adjusted p < {alpha:g}",
        (1, points.cutoff),
        xycoords=axes.get_yaxis_transform(),
        xytext=(0, -2.5),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=6.2,
        color=drawing.FAINT,
    )


def _names(axes: Axes, points: _Points, width: float, height: float) -> None:
    """Names of the leading genes in the margins left and right of all points, each joined to its point."""
    leading = np.flatnonzero(points.significant)[:NAMED_GENES]
    top = axes.get_ylim()[1]
    edge = axes.get_xlim()[1]
    per_point = 2 * edge / width
    for side, colour in ((1, _COLOURS["higher"]), (-1, _COLOURS["lower"])):
        members = [int(index) for index in leading if (points.x[index] > 0) == (side > 0)]
        wanted = [points.y[index] / top * height for index in members]
        start = points.reach + 12 * per_point
        for index, at in zip(members, drawing.spread(wanted, _GAP, _GAP, height - _GAP / 2), strict=True):
            axes.annotate(
                drawing.plain(points.genes[index], 20),
                (points.x[index], points.y[index]),
                xytext=(side * start, at / height * top),
                textcoords="data",
                ha="left" if side > 0 else "right",
                va="center",
                fontsize=_SIZE,
                color=colour,
                gid=f"gene-{index}",
                arrowprops=drawing.leader(colour, from_left=side > 0),
            )


def _watermark(axes: Axes) -> None:
    axes.text(
        0.5,
        0.5,
        "EXPLORATORY",
        transform=axes.transAxes,
        ha="center",
        va="center",
        rotation=24,
        fontsize=40,
        fontweight="bold",
        color="#e7eaee",
        zorder=0,
        gid="exploratory-mark",
    )


def _foot(points: _Points, alpha: float, *, exploratory: bool) -> list[str]:
    """The lines below the axes: counts, and what a reader may not take the picture for."""
    up = int((points.significant & (points.x > 0)).sum())
    down = int((points.significant & (points.x <= 0)).sum())
    beyond = int((np.abs(points.x) > points.reach).sum())
    sentences = [
        f"{len(points.genes):,} genes tested; adjusted p < {alpha:g}: {up:,} higher (red), {down:,} lower (blue). "
        f"{points.not_tested:,} without a p-value are not drawn."
    ]
    if exploratory:
        sentences.append("Exploratory: too little replication to call any gene a finding.")
    if beyond:
        stands = (
            "gene with a larger fold change stands" if beyond == 1 else "genes with larger fold changes stand"
        )
        sentences.append(f"{beyond:,} {stands} at the edge ({'diamond' if beyond == 1 else 'diamonds'}).")
    return textwrap.wrap(" ".join(sentences), 122)
