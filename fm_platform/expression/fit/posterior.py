"""The posterior of regression coefficients under apeGLM's priors, for a block of genes.

Belongs here: minus its logarithm with slope and curvature (Zhu, Ibrahim and Love 2019, doi
10.1093/bioinformatics/bty895): negative-binomial likelihood, Cauchy prior on one coefficient, wide normal priors on
the others. Does not belong here: the scale of the prior and the searches (``shrinkage``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fm_platform.expression.fit.gene_arrays import Floats, Genes, columns, sum_rows
from fm_platform.expression.fit.irls import means, of_genes
from fm_platform.expression.fit.normal import Normal

OTHERS_SCALE = 15.0
"""Standard deviation of the normal prior of the other coefficients, natural logarithms."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """Minus the log posterior of the coefficients (columns x genes), up to what does not depend on them.

    Attributes:
        normal: The design.
        counts: Samples x genes.
        factors: Samples x 1 or samples x genes.
        alpha: Dispersion per gene.
        column: The coefficient with the heavy-tailed prior.
        scale: Of that prior, natural logarithm.
    """

    normal: Normal
    counts: Floats
    factors: Floats
    alpha: Floats
    column: int
    scale: float

    def take(self, genes: Genes) -> Posterior:
        """The same for some of the genes."""
        counts, factors = columns(self.counts, genes), of_genes(self.factors, genes)
        return replace(self, counts=counts, factors=factors, alpha=self.alpha[genes])

    def value(self, beta: Floats) -> Floats:
        """Per gene."""
        eta = self.normal.spread(self.normal.predict(beta))
        grown = np.log1p(self.alpha * np.exp(eta) * self.factors)
        return sum_rows((self.counts + 1.0 / self.alpha) * grown - self.counts * eta) + self._prior(beta)

    def value_and_slope(self, beta: Floats) -> tuple[Floats, Floats]:
        """Per gene, and columns x genes."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.value(beta), self._slope(beta, means(self.normal, self.factors, beta, floor=0.0))

    def curvature(self, beta: Floats) -> tuple[Floats, Floats, Floats]:
        """Slope, and the second derivatives as normal-equation entries: true ones, and an always positive bound."""
        normal = self.normal
        mu = means(normal, self.factors, beta, floor=0.0)
        shrunk = 1.0 / (1.0 + self.alpha * mu)
        own = beta[self.column]
        spread = self.scale**2 + own**2
        curved = normal.gram(normal.by_cell((self.counts * self.alpha + 1.0) * mu * shrunk * shrunk))
        bound = normal.add_ridge(curved, 1.0 / OTHERS_SCALE**2)
        position = normal.order.index(self.column)
        place = normal.slot[position, position]
        bound[place] -= 1.0 / OTHERS_SCALE**2
        true = bound.copy()
        true[place] += 2.0 * (self.scale**2 - own**2) / spread**2
        bound[place] += 2.0 / spread
        return self._slope(beta, mu), true, bound

    def value_at_zero(self) -> Floats:
        """At coefficients of 0, with the term (count + size) log(size) that :meth:`value` leaves out."""
        size = 1.0 / self.alpha
        return sum_rows((self.counts + size) * np.log(size + self.factors))

    def _prior(self, beta: Floats) -> Floats:
        others = sum_rows(beta * beta) - beta[self.column] ** 2
        return np.asarray(0.5 * others / OTHERS_SCALE**2 + np.log1p((beta[self.column] / self.scale) ** 2))

    def _slope(self, beta: Floats, mu: Floats) -> Floats:
        own = beta[self.column]
        slope = -self.normal.project(self.normal.by_cell((self.counts - mu) / (1.0 + self.alpha * mu)))
        slope += beta / OTHERS_SCALE**2
        slope[self.column] += 2.0 * own / (self.scale**2 + own**2) - own / OTHERS_SCALE**2
        return slope
