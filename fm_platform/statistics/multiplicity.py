"""Adjusting p-values within a declared family of tests.

Belongs here: Holm (family-wise error) and Benjamini-Hochberg (false discovery rate), exactly, with their
floors. Does not belong here: deciding what a family is (study.yaml declares it before there are data).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from fm_platform.statistics.integers import shown

HOLM_FLOOR = "holm_floor"
OF_FAMILY = ("p_holm", "p_bh", HOLM_FLOOR)
"""The columns that rest on every test of the family."""


def holm(p_values: Sequence[Fraction | None]) -> list[Fraction | None]:
    """Holm's step-down adjustment.

    Args:
        p_values: One for every declared test; None for one that has no data yet. It counts in the size of the
            family, so that an adjusted p does not rise when the data arrive.
    """
    size = len(p_values)
    adjusted: list[Fraction | None] = [None] * size
    running = Fraction(0)
    known = sorted((p, at) for at, p in enumerate(p_values) if p is not None)
    for step, (p, at) in enumerate(known):
        running = max(running, min(Fraction(1), (size - step) * p))
        adjusted[at] = running
    return adjusted


def benjamini_hochberg(p_values: Sequence[Fraction | None]) -> list[Fraction | None]:
    """Benjamini and Hochberg's step-up adjustment; None as in :func:`holm`."""
    size = len(p_values)
    adjusted: list[Fraction | None] = [None] * size
    running = Fraction(1)
    known = sorted((p, at) for at, p in enumerate(p_values) if p is not None)
    for rank in range(len(known), 0, -1):
        p, at = known[rank - 1]
        running = min(running, p * size / rank)
        adjusted[at] = running
    return adjusted


def holm_floor(p_floor: Fraction, size: int) -> Fraction:
    """The smallest Holm-adjusted p that a test could reach: its smallest p, as the smallest of the family.

    Args:
        p_floor: The smallest p that the test could reach.
        size: Number of tests in the family.
    """
    return min(Fraction(1), size * p_floor)


def adjust_families(
    rows: Sequence[dict[str, Any]], tests: Sequence[tuple[str | None, Fraction | None, Fraction | None]]
) -> None:
    """Fill in the family columns of result rows: family, family_size, p_holm, p_bh, holm_floor.

    Args:
        rows: Result rows; those outside any family are left alone.
        tests: Family, p-value and its floor of each row, in the order of the rows.
    """
    for family in dict.fromkeys(name for name, _, _ in tests if name is not None):
        members = [at for at, (name, _, _) in enumerate(tests) if name == family]
        own = [tests[at][1] for at in members]
        for at, p_holm, p_bh in zip(members, holm(own), benjamini_hochberg(own), strict=True):
            p_floor = tests[at][2]
            rows[at] |= {
                "family": family,
                "family_size": len(members),
                "p_holm": shown(p_holm),
                "p_bh": shown(p_bh),
                HOLM_FLOOR: None if p_floor is None else shown(holm_floor(p_floor, len(members))),
            }
