"""The fibromyalgia criteria of 2010, 2011 and 2016 in three-valued logic.

Belongs here: the rule of each version and its verdict from bounds. Does not belong here: counting areas or
points (the instrument file and the scoring engine do that).

Sources: Wolfe 2016, doi 10.1016/j.semarthrit.2016.08.012 (2016); Wolfe 2010 and 2011 for the earlier arms.
All versions ask for three months; the physician's exclusion of other causes in 2010 is a judgement and is not
computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

Version = Literal["2010", "2011", "2016"]


class Verdict(Enum):
    """What can be said about the criteria."""

    MET = "met"
    NOT_MET = "not_met"
    INDETERMINATE = "indeterminate"


@dataclass(frozen=True)
class Bounds:
    """The least and the greatest value that a number can have, given what was answered."""

    low: int
    high: int

    @classmethod
    def of(cls, value: int | None, most: int) -> Bounds:
        """A known value, or the whole range from 0 to ``most`` where it is unknown."""
        return cls(0, most) if value is None else cls(value, value)


@dataclass(frozen=True)
class _Rule:
    least_wpi_of_second_arm: int
    least_regions: int


_RULES: dict[str, _Rule] = {"2010": _Rule(3, 0), "2011": _Rule(3, 0), "2016": _Rule(4, 4)}


def criteria_verdict(
    wpi: Bounds | int | None,
    sss: Bounds | int | None,
    n_regions: Bounds | int | None,
    three_months: bool | None,
    *,
    version: Version = "2016",
) -> Verdict:
    """Judge one patient at one visit.

    Each criterion can only become true as its numbers rise, so the verdict at all lower bounds and the one at
    all upper bounds enclose every completion of the answers; where both agree, that is the verdict.

    Args:
        wpi: Widespread pain index 0-19, its bounds, or None for unknown.
        sss: Symptom severity scale 0-12, its bounds, or None.
        n_regions: Painful regions 0-5, its bounds, or None (a WPI recorded without its areas). For 2016.
        three_months: Symptoms for three months or more; None for unknown.
        version: Which criteria. 2010 and 2011 share their numbers: (WPI >= 7 and SSS >= 5) or (WPI 3-6 and
            SSS >= 9). 2016 raises the second arm to WPI 4-6 and asks for four of five regions.
    """
    wpi, sss, n_regions = _bounds(wpi, 19), _bounds(sss, 12), _bounds(n_regions, 5)
    rule = _RULES[version]
    at_worst = _met(rule, wpi.low, sss.low, n_regions.low, three_months is True)
    at_best = _met(rule, wpi.high, sss.high, n_regions.high, three_months is not False)
    if at_worst:
        return Verdict.MET
    return Verdict.INDETERMINATE if at_best else Verdict.NOT_MET


def _bounds(value: Bounds | int | None, most: int) -> Bounds:
    return value if isinstance(value, Bounds) else Bounds.of(value, most)


def _met(rule: _Rule, wpi: int, sss: int, n_regions: int, three_months: bool) -> bool:
    severe = (wpi >= 7 and sss >= 5) or (wpi >= rule.least_wpi_of_second_arm and sss >= 9)
    return severe and n_regions >= rule.least_regions and three_months
