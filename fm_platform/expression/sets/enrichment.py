"""Pre-ranked gene-set enrichment: the running-sum score, exact, and its permutation distribution.

Belongs here: scores, p-values, normalised scores of sets given by positions in a ranking. Does not belong here: which
genes a set has (``gene_sets``), tables.

Method: Subramanian et al. 2005, doi 10.1073/pnas.0506580102 (weight 1, permuted gene labels, p among scores of the same
sign). One random ordering serves every set size by its first genes, as in Korotkevich et al., doi 10.1101/060012.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

PERMUTATIONS = 10_000
SEED = 20050930
_BLOCK = 500


@dataclass(frozen=True)
class Enrichment:
    """The result of one set.

    Attributes:
        es: Running-sum score, -1 to 1; positive when the set lies at the top of the ranking.
        nes: The score over the mean absolute score of random sets of the same size and sign.
        pvalue: (1 + as extreme) / (1 + all), of the random sets with a score of the same sign.
        p_floor: The smallest value that these permutations can give.
        leading_edge: Positions of the members up to the peak (from the end for a negative score).
    """

    es: float
    nes: float
    pvalue: float
    p_floor: float
    leading_edge: tuple[int, ...]


def score(weights: Floats, positions: Positions) -> Floats:
    """Running-sum scores of sets of one size.

    Args:
        weights: Absolute ranking statistics, highest rank first, shape (genes,).
        positions: Ascending positions of the members in the ranking, shape (sets, size).
    """
    n, size = len(weights), positions.shape[-1]
    hits = weights[positions]
    total = hits.sum(axis=-1, keepdims=True)
    hits = np.where(total > 0, hits, 1.0)
    after = np.cumsum(hits, axis=-1) / hits.sum(axis=-1, keepdims=True)
    missed = (positions - np.arange(size)) / max(n - size, 1)
    top = (after - missed).max(axis=-1)
    before = np.concatenate([np.zeros((*after.shape[:-1], 1)), after[..., :-1]], axis=-1)
    bottom = (before - missed).min(axis=-1)
    scores: Floats = np.where(top > -bottom, top, np.where(top == -bottom, 0.0, bottom))
    return scores


def random_positions(n: int, size: int, permutations: int, seed: int) -> Positions:
    """Random draws of positions without replacement, shape (permutations, size); their first k are draws of k."""
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = np.empty((permutations, size), dtype=np.int32)
    for start in range(0, permutations, _BLOCK):
        height = min(_BLOCK, permutations - start)
        deck = np.tile(np.arange(n, dtype=np.int32), (height, 1))
        row = np.arange(height)
        for i in range(size):
            other = i + (generator.random(height) * (n - i)).astype(np.int64)
            chosen = deck[row, other]
            deck[row, other] = deck[:, i]
            deck[:, i] = chosen
            drawn[start : start + height, i] = chosen
    return drawn.astype(np.int64)


def enrich(
    statistics: Floats,
    sets: Sequence[Positions],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
) -> list[Enrichment]:
    """Test sets against random sets of the same size.

    Args:
        statistics: Ranking statistics, highest first, shape (genes,).
        sets: Ascending positions of each set's members.
        permutations: Random sets for each size.
        seed: Of the random sets; results depend on nothing else.
    """
    if not sets:
        return []
    weights = np.abs(statistics)
    drawn = random_positions(len(weights), max(len(members) for members in sets), permutations, seed)
    null = {
        size: score(weights, np.sort(drawn[:, :size], axis=1))
        for size in sorted({len(members) for members in sets})
    }
    return [_against(weights, members, null[len(members)]) for members in sets]


def _against(weights: Floats, members: Positions, null: Floats) -> Enrichment:
    es = float(score(weights, members[None, :])[0])
    same = null[null >= 0] if es >= 0 else -null[null < 0]
    extreme = int((same >= abs(es)).sum())
    typical = float(same.mean()) if len(same) and same.mean() > 0 else float("nan")
    return Enrichment(
        es=es,
        nes=es / typical,
        pvalue=(1 + extreme) / (1 + len(same)),
        p_floor=1 / (1 + len(same)),
        leading_edge=_leading_edge(weights, members, es),
    )


def _leading_edge(weights: Floats, members: Positions, es: float) -> tuple[int, ...]:
    hits = weights[members] if weights[members].sum() > 0 else np.ones(len(members))
    after = np.cumsum(hits) / hits.sum()
    missed = (members - np.arange(len(members))) / max(len(weights) - len(members), 1)
    if es >= 0:
        return tuple(members[: int(np.argmax(after - missed)) + 1].tolist())
    before = np.concatenate([[0.0], after[:-1]])
    return tuple(members[int(np.argmin(before - missed)) :][::-1].tolist())
