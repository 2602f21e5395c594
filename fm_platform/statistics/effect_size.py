"""Effect sizes of paired changes.

Belongs here: the matched-pairs rank-biserial correlation and the counts by direction. Does not belong here:
tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from fm_platform.statistics.integers import Ints
from fm_platform.statistics.signed_rank import SignedRank


def rank_biserial(test: SignedRank) -> Fraction | None:
    """Kerby's simple difference (W+ - W-) / (W+ + W-), from -1 to 1.

    With change = post - base, -1 means that every change that is not zero is a fall. None where all changes
    are zero.
    """
    total = test.w_plus + test.w_minus
    return (test.w_plus - test.w_minus) / total if total else None


@dataclass(frozen=True)
class Directions:
    """How many improved, stayed, got worse."""

    improved: int
    unchanged: int
    worsened: int


def directions(changes: Ints, better: Literal["lower", "higher"]) -> Directions:
    """Count changes by direction; ``better`` says which way is improvement."""
    down, up = int((changes < 0).sum()), int((changes > 0).sum())
    improved, worsened = (down, up) if better == "lower" else (up, down)
    return Directions(improved, len(changes) - down - up, worsened)
