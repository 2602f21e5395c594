"""The exact Wilcoxon signed-rank test, with ties and zeros.

Belongs here: one paired sample to one test result. Does not belong here: location estimates and effect sizes.

Method: zeros dropped (``wilcox``) or ranked and then left without a sign (``pratt``); mid-ranks of the
absolute changes, doubled to whole numbers; the conditional distribution of the positive rank sum over all
sign vectors; two-sided p = min(1, 2 min(P(W <= w), P(W >= w))).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from fm_platform.statistics.integers import Ints, Number, on_common_scale
from fm_platform.statistics.null_distribution import lower_tail

Zero = Literal["wilcox", "pratt"]
_ZEROS = {"wilcox": "zeros dropped", "pratt": "zeros ranked (Pratt)"}


@dataclass(frozen=True)
class SignedRank:
    """Result of a signed-rank test.

    Attributes:
        n: Number of changes.
        n_zero: Changes of exactly zero.
        n_eff: Changes that carry a sign.
        n_tied_groups: Groups of equal absolute changes among those.
        w_plus: Rank sum of the positive changes; ``w_minus`` of the negative ones.
        p_num: Sign vectors at least as extreme, of ``p_den = 2 ** n_eff``; both None where they were not
            counted.
        p_value: Two-sided p.
        p_floor: The smallest p that any data with this ``n_eff`` could give.
        method: How p was computed, in words.
    """

    n: int
    n_zero: int
    n_eff: int
    n_tied_groups: int
    w_plus: Fraction
    w_minus: Fraction
    p_num: int | None
    p_den: int | None
    p_value: Fraction
    p_floor: Fraction
    method: str


def signed_rank(changes: Sequence[Number] | Ints, zero: Zero = "wilcox") -> SignedRank:
    """Test whether paired changes are symmetric about zero.

    Args:
        changes: post - base, as ints or Fractions.
        zero: ``wilcox`` drops zeros before ranking; ``pratt`` ranks them and drops their ranks.

    Raises:
        TypeError: A change is a float.
    """
    numbers, _ = on_common_scale(changes)
    signed = numbers[numbers != 0]
    n_zero = len(numbers) - len(signed)
    ranks, n_tied_groups = _doubled_midranks(np.abs(signed), below=n_zero if zero == "pratt" else 0)
    plus = int(ranks[signed > 0].sum())
    minus = int(ranks[signed < 0].sum())
    tail = lower_tail(ranks, min(plus, minus))
    p_den = 2 ** len(signed)
    counted = tail.count is not None
    p_num = min(p_den, 2 * tail.count) if tail.count is not None else None
    return SignedRank(
        n=len(numbers),
        n_zero=n_zero,
        n_eff=len(signed),
        n_tied_groups=n_tied_groups,
        w_plus=Fraction(plus, 2),
        w_minus=Fraction(minus, 2),
        p_num=p_num,
        p_den=p_den if counted else None,
        p_value=min(Fraction(1), 2 * tail.probability),
        p_floor=min(Fraction(1), Fraction(2, p_den)),
        method=f"Wilcoxon signed-rank, {tail.method}, {_ZEROS[zero]}",
    )


def _doubled_midranks(sizes: Ints, *, below: int) -> tuple[Ints, int]:
    """Twice the mid-rank of each value, from ``below`` on; and the number of groups of equal values."""
    _, group, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    doubled = 2 * below + 2 * last - counts + 1
    return doubled[group].astype(np.int64), int((counts > 1).sum())
