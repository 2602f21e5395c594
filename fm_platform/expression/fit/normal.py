"""Normal equations of many weighted regressions that share one design.

Belongs here: X'WX for a block of genes at once, its sparse LDL' factor, solves, log determinant and the
entries of the inverse that traces and leverages need. Does not belong here: what the weights mean.

Every step is an elementwise operation on vectors over genes, in an order that the design alone fixes, so the
value of a gene does not depend on which other genes share its block. Samples with equal design rows are
summed first ("cells"); columns are eliminated in minimum-degree order, so that designs with many indicator
columns (subjects of a paired study) stay sparse. The inverse's entries follow Takahashi, Fagan and Chen 1973.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fm_platform.expression.fit.gene_arrays import Floats, sum_rows, times, weighted_rows

Pair: TypeAlias = tuple[int, int]


class Normal:
    """The elimination plan of one design.

    Attributes:
        design: Samples x columns.
        cells: The distinct design rows, in order of appearance.
        cell_of: The cell of each sample.
        members: The samples of each cell.
        pseudo_inverse: Columns x cells: least-squares coefficients of a response's sums by cell.
    """

    def __init__(self, design: Floats) -> None:
        self.design = np.ascontiguousarray(design, dtype=np.float64)
        seen: dict[bytes, int] = {}
        self.cell_of = np.array([seen.setdefault((row + 0.0).tobytes(), len(seen)) for row in self.design])
        self.members = [np.flatnonzero(self.cell_of == cell) for cell in range(len(seen))]
        self.cells = np.ascontiguousarray(self.design[[rows[0] for rows in self.members]])
        linked = (self.cells != 0).T.astype(float) @ (self.cells != 0).astype(float) > 0
        self.pseudo_inverse = _without_dust(np.linalg.pinv(self.design))[
            :, [rows[0] for rows in self.members]
        ]
        self._runs = [_as_run(rows) for rows in self.members]
        self.order = _minimum_degree(linked)
        self._below, entries = _fill(linked, self.order)
        self.slot = {entry: position for position, entry in enumerate(entries)}
        self._terms = [self._products(*self.order_pair(entry)) for entry in entries]
        self._alike = [self._terms.index(terms) for terms in self._terms]

    @cached_property
    def sparser(self) -> Normal:
        """A plan of the same column space whose X'WX has the same determinant and fewer entries, or this one.

        A column from which others are subtracted leaves the determinant as it is; an intercept less the indicators
        of all subjects but the first is the indicator of the first.
        """
        changed = _fewer_entries(self.design)
        return self if changed is None else Normal(changed)

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and columns."""
        return self.design.shape[0], self.design.shape[1]

    def order_pair(self, entry: Pair) -> Pair:
        """The design columns of an entry that is given by elimination positions."""
        return self.order[entry[0]], self.order[entry[1]]

    def _products(self, first: int, second: int) -> list[tuple[int, float]]:
        product = self.cells[:, first] * self.cells[:, second]
        return [(int(cell), float(product[cell])) for cell in np.flatnonzero(product)]

    def by_cell(self, values: Floats) -> Floats:
        """Sums over the samples of each cell: samples x genes to cells x genes."""
        if len(self.cells) == len(values):
            return values
        sums = np.empty((len(self.cells), values.shape[1]))
        for cell, rows in enumerate(self._runs):
            sums[cell] = sum_rows(values[rows])
        return sums

    def least_squares(self, values: Floats) -> Floats:
        """Unweighted regression of a response: coefficients, columns x genes, of samples x genes."""
        return weighted_rows(self.pseudo_inverse, self.by_cell(values))

    def spread(self, per_cell: Floats) -> Floats:
        """Cells x genes to samples x genes."""
        return per_cell if len(self.cells) == len(self.cell_of) else per_cell[self.cell_of]

    def predict(self, beta: Floats) -> Floats:
        """Linear predictors, cells x genes, of coefficients, columns x genes."""
        return weighted_rows(self.cells, beta)

    def project(self, per_cell: Floats) -> Floats:
        """X'v, columns x genes, of cell sums of v."""
        return weighted_rows(self.cells.T, per_cell)

    def gram(self, weights_by_cell: Floats) -> Floats:
        """The stored entries of X'WX, entries x genes."""
        entries = np.zeros((len(self.slot), weights_by_cell.shape[1]))
        for position, (target, terms) in enumerate(zip(entries, self._terms, strict=True)):
            if self._alike[position] != position:
                target[:] = entries[self._alike[position]]
                continue
            for cell, product in terms:
                np.add(target, times(product, weights_by_cell[cell]), out=target)
        return entries

    def add_ridge(self, entries: Floats, ridge: float) -> Floats:
        """X'WX + ridge I."""
        ridged = entries.copy()
        for position in range(len(self.order)):
            ridged[self.slot[position, position]] += ridge
        return ridged

    def factor(self, entries: Floats) -> Floats:
        """LDL' of a matrix given by its entries: L below, D on the diagonal."""
        made = entries.copy()
        for j, below in enumerate(self._below):
            inverse = 1.0 / made[self.slot[j, j]]
            scaled = [made[self.slot[i, j]] * inverse for i in below]
            for left, i in enumerate(below):
                for right in range(left + 1):
                    k = below[right]
                    made[self.slot[i, k]] -= scaled[left] * made[self.slot[k, j]]
            for left, i in enumerate(below):
                made[self.slot[i, j]] = scaled[left]
        return made

    def log_determinant(self, factor: Floats) -> Floats:
        """Log determinant, per gene."""
        total = np.log(factor[self.slot[0, 0]])
        for j in range(1, len(self.order)):
            total += np.log(factor[self.slot[j, j]])
        return np.asarray(total, dtype=np.float64)

    def solve(self, factor: Floats, right: Floats) -> Floats:
        """Coefficients, columns x genes, of right-hand sides, columns x genes."""
        parts = [right[column].copy() for column in self.order]
        for j, below in enumerate(self._below):
            for i in below:
                parts[i] -= factor[self.slot[i, j]] * parts[j]
        for j in reversed(range(len(parts))):
            parts[j] /= factor[self.slot[j, j]]
            for i in self._below[j]:
                parts[j] -= factor[self.slot[i, j]] * parts[i]
        solved = np.empty_like(right)
        for position, column in enumerate(self.order):
            solved[column] = parts[position]
        return solved

    def inverse(self, factor: Floats) -> Floats:
        """The inverse's entries at the stored places."""
        made = np.empty_like(factor)
        for j in reversed(range(len(self.order))):
            below = self._below[j]
            for i in below:
                target = made[self.slot[i, j]]
                target[:] = 0.0
                for k in below:
                    target -= made[self.slot[max(i, k), min(i, k)]] * factor[self.slot[k, j]]
            diagonal = made[self.slot[j, j]]
            np.divide(1.0, factor[self.slot[j, j]], out=diagonal)
            for k in below:
                diagonal -= factor[self.slot[k, j]] * made[self.slot[k, j]]
        return made

    def trace(self, inverse: Floats, entries: Floats) -> Floats:
        """The trace of A^-1 B, per gene, of symmetric matrices given by their entries."""
        total = np.zeros(entries.shape[1])
        for (i, k), position in self.slot.items():
            product = inverse[position] * entries[position]
            total += product if i == k else 2.0 * product
        return total

    def leverage(self, inverse: Floats) -> Floats:
        """x' A^-1 x of each cell's design row, cells x genes."""
        values = np.zeros((len(self.cells), inverse.shape[1]))
        for (i, k), position in self.slot.items():
            for cell, product in self._terms[position]:
                values[cell] += (product if i == k else 2.0 * product) * inverse[position]
        return values

    def quadratic(self, entries: Floats, vector: Floats) -> Floats:
        """v'Bv, per gene, of vectors, columns x genes."""
        total = np.zeros(entries.shape[1])
        for (i, k), position in self.slot.items():
            first, second = self.order_pair((i, k))
            product = entries[position] * vector[first] * vector[second]
            total += product if i == k else 2.0 * product
        return total


def _fewer_entries(design: Floats) -> Floats | None:
    """The design with smaller columns subtracted from larger ones where that empties places, or None.

    A column is subtracted only from one that has its values in all its places, smallest columns first.
    """
    changed = design.copy()
    sizes = [int(np.count_nonzero(column)) for column in design.T]
    by_size = sorted(range(len(sizes)), key=lambda i: (sizes[i], i))
    for position, large in enumerate(by_size):
        for small in by_size[:position]:
            places = changed[:, small] != 0
            if places.any() and (changed[places, large] == changed[places, small]).all():
                changed[places, large] = 0.0
        if not changed[:, large].any():
            return None
    return None if np.count_nonzero(changed) == np.count_nonzero(design) else changed


def _as_run(rows: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """Evenly spaced rows as a slice, which takes no copy."""
    steps = np.diff(rows)
    if len(rows) > 1 and (steps == steps[0]).all():
        return slice(int(rows[0]), int(rows[-1]) + 1, int(steps[0]))
    return rows


def _without_dust(values: NDArray[Any]) -> Floats:
    return np.asarray(np.where(np.abs(values) < 1e-13, 0.0, values), dtype=np.float64)


def _minimum_degree(linked: NDArray[np.bool_]) -> list[int]:
    left = set(range(len(linked)))
    graph = {i: {j for j in left if linked[i, j] and j != i} for i in left}
    order = []
    while left:
        chosen = min(left, key=lambda i: (len(graph[i]), i))
        left.remove(chosen)
        neighbours = graph.pop(chosen)
        for i in neighbours:
            graph[i] = (graph[i] | neighbours) - {i, chosen}
        order.append(chosen)
    return order


def _fill(linked: NDArray[np.bool_], order: list[int]) -> tuple[list[list[int]], list[Pair]]:
    """Rows below each pivot that the factor fills, and all stored entries, in elimination positions."""
    ordered = linked[np.ix_(order, order)].copy()
    below = []
    for j in range(len(order)):
        rows = [i for i in range(j + 1, len(order)) if ordered[i, j]]
        for i in rows:
            ordered[i, rows] = True
        below.append(rows)
    entries = [(i, j) for j in range(len(order)) for i in (j, *below[j])]
    return below, entries
