"""Which samples a design lacks: level combinations that would tell aliased effects apart, or give a degree of freedom.

Belongs here: finding and naming such samples, and factors that others already hold. Does not belong here: the gate that
asks (``design``), the algebra of aliases (``rank``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, product

import numpy as np

from fm_platform.expression.designs.coding import CodedMatrix
from fm_platform.expression.fit.gene_arrays import Floats

MAX_COMBINATIONS = 4096
SHOWN = 3
_TOLERANCE = 1e-8

Levels = Mapping[str, Sequence[str]]
Texts = Mapping[str, Sequence[str]]
Combination = dict[str, str]


def untangling(
    coded: CodedMatrix, levels: Levels, numbers: Mapping[str, Sequence[float]]
) -> list[Combination]:
    """Samples that together would give a rank-deficient design full rank.

    Args:
        coded: The design.
        levels: Levels of every factor.
        numbers: Values of every covariate; a new sample takes one beyond the largest.

    Returns:
        Few combinations, one sample each, each raising the rank by one; empty if no combination of the levels there
        are would do (or there are more than :data:`MAX_COMBINATIONS`, which are not searched).
    """
    combinations = _combinations(levels)
    if not combinations:
        return []
    values: dict[str, list[object]] = {name: [entry[name] for entry in combinations] for name in levels}
    for name, known in numbers.items():
        values[name] = [max(known) + 1.0] * len(combinations)
    left = coded.rows(values)
    basis = _row_space(coded.matrix)
    chosen: list[Combination] = []
    for _ in range(coded.matrix.shape[1] - len(basis)):
        beyond = left - (left @ basis.T) @ basis
        sizes = np.linalg.norm(beyond, axis=1)
        best = int(np.argmax(sizes > _TOLERANCE))
        if sizes[best] <= _TOLERANCE:
            return []
        shown: Combination = dict(combinations[best])
        shown |= {name: f"other than {_range(known)}" for name, known in numbers.items()}
        chosen.append(shown)
        basis = np.concatenate([basis, beyond[best : best + 1] / sizes[best]])
    return chosen


def unseen(levels: Levels, texts: Texts) -> list[Combination]:
    """Combinations of levels that no sample has, those first that differ from a sample in one variable."""
    seen = set(zip(*(texts[name] for name in levels), strict=True))
    found = [entry for entry in _combinations(levels) if tuple(entry.values()) not in seen]

    def distance(entry: Combination) -> int:
        own = tuple(entry.values())
        return min(sum(a != b for a, b in zip(own, other, strict=True)) for other in seen)

    return sorted(found, key=distance) if len(found) <= SHOWN * 100 else found


def nested(levels: Levels, texts: Texts) -> list[tuple[str, str]]:
    """Pairs (outer, inner) of factors where every level of the inner one occurs with one level of the outer only."""
    pairs = []
    for inner in levels:
        for outer in levels:
            if inner == outer or len(levels[inner]) <= len(levels[outer]):
                continue
            if len(set(zip(texts[inner], texts[outer], strict=True))) == len(set(texts[inner])):
                pairs.append((outer, inner))
    return pairs


def listed(combinations: Sequence[Combination]) -> str:
    """Samples in words: ``a sample with batch = y and group = hc``."""
    said = [
        "a sample with " + " and ".join(f"{name} = {level}" for name, level in entry.items())
        for entry in combinations[:SHOWN]
    ]
    more = len(combinations) - SHOWN
    return ", ".join(said) + (f" and {more} more" if more > 0 else "")


def _combinations(levels: Levels) -> list[Combination]:
    names = list(levels)
    found = list(islice(product(*levels.values()), MAX_COMBINATIONS + 1))
    if not names or len(found) > MAX_COMBINATIONS:
        return []
    return [dict(zip(names, entry, strict=True)) for entry in found]


def _row_space(matrix: Floats) -> Floats:
    """Orthonormal rows that span those of a matrix."""
    _, sizes, rows = np.linalg.svd(matrix, full_matrices=False)
    basis: Floats = rows[sizes > sizes[0] * 1e-10]
    return basis


def _range(known: Sequence[float]) -> str:
    low, high = min(known), max(known)
    return f"{low:g}" if low == high else f"those between {low:g} and {high:g}"
