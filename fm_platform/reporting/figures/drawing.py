"""What every figure shares: a reproducible canvas, safe text, labels that never overlap.

Belongs here: matplotlib housekeeping. Does not belong here: what a particular figure shows.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS_PER_INCH = 72.0
INK = "#1f2933"
FAINT = "#5b6673"
RULE = "#d5dae1"
RED = "#c1121f"
BLUE = "#1d4ed8"
NEUTRAL = "#334155"
NOT_RECORDED = "#6b7280"
PALETTE = ("#0072b2", "#bd5300", "#007f5c", "#b0508a", "#8a6d00", "#5e4fa2", "#000000")
"""Distinguishable with the common colour-vision deficiencies (after Okabe and Ito), and dark enough for small text on
white (contrast 4.5 and more, WCAG 2.2 AA)."""
SYNTHETIC = "SYNTHETIC DATA"

_STYLE: Any = {
    "svg.hashsalt": "fm_platform",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.linewidth": 0.6,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@contextmanager
def canvas(width: float, height: float) -> Iterator[Figure]:
    """A blank figure under the platform's style, untouched by a user's matplotlib settings.

    Args:
        width: Inches.
        height: Inches.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield Figure(figsize=(width, height))


def svg(figure: Figure, title: str) -> bytes:
    """The figure as SVG bytes: no date, no program name, text as outlines, the same on every machine.

    Args:
        figure: Drawn under :func:`canvas`.
        title: What assistive technology reads out.
    """
    buffer = io.BytesIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", dpi=200, metadata={**nothing, "Title": plain(title, 300)})
    return buffer.getvalue()


def mark_synthetic(figure: Figure) -> None:
    """Write on the figure itself that its data are made up."""
    height = figure.get_figheight()
    figure.text(
        0.5,
        1 - 0.06 / height,
        f"{SYNTHETIC}: made up, from no person",
        ha="center",
        va="top",
        fontsize=8,
        fontweight="bold",
        color="#7a3e00",
        gid="synthetic-mark",
    )


def plain(text: str, longest: int = 60) -> str:
    """Text that any figure can hold: control characters replaced, and the middle of a long text left out."""
    clean = "".join(character if character.isprintable() else "\ufffd" for character in text)
    if len(clean) <= longest:
        return clean
    head = (longest - 1) // 2
    return f"{clean[:head]}…{clean[len(clean) - (longest - 1 - head) :]}"


def text_width(text: str, size: float) -> float:
    """Width of a text in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    return float(
        TextPath((0, 0), text, size=size, prop=FontProperties(family="DejaVu Sans")).get_extents().x1
    )


def leader(colour: str, *, from_left: bool) -> dict[str, Any]:
    """The thin line from a label's left or right middle to what it names."""
    return {
        "arrowstyle": "-",
        "color": colour,
        "linewidth": 0.4,
        "shrinkA": 0.5,
        "shrinkB": 1.5,
        "relpos": (0.0 if from_left else 1.0, 0.5),
    }


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions at least `gap` apart that stay as near to the wanted ones as possible (least squares).

    Pool-adjacent-violators on the positions minus their rank's share of the gaps. When `high - low` cannot
    hold all of them, the gap is kept and the range is exceeded upwards.

    Args:
        wanted: Where each label would like to be; ties keep their order.
        gap: Smallest distance between two labels, same unit.
        low: Lowest position.
        high: Highest position.

    Returns:
        Positions in the order of `wanted`.

    >>> spread([1.0, 1.0, 5.0], 1.0, 0.0, 10.0)
    [0.5, 1.5, 5.0]
    """
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], index))
    blocks: list[tuple[float, int]] = []
    for rank, index in enumerate(order):
        total, size = wanted[index] - rank * gap, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / size:
            before = blocks.pop()
            total, size = total + before[0], size + before[1]
        blocks.append((total, size))
    levels = np.repeat([total / size for total, size in blocks], [size for _, size in blocks])
    ceiling = max(low, high - (len(order) - 1) * gap)
    levels = np.clip(levels, low, ceiling)
    placed = [0.0] * len(order)
    for rank, index in enumerate(order):
        placed[index] = float(levels[rank] + rank * gap)
    return placed
