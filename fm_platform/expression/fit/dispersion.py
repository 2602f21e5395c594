"""What a dispersion estimate maximises, and where the search for it begins.

Belongs here: the Cox-Reid adjusted profile likelihood in log dispersion with its slope, with or without the
prior around the trend (Love 2014, equations 5 to 7), and the moment estimates. Does not belong here: the
searches (``dispersion_search``).

Arrays are samples x genes; ``log_alpha`` and all results are per gene.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fm_platform.expression.fit.gamma import SHIFT, log_gamma_parts, log_gamma_ratio, slope_at_no_count
from fm_platform.expression.fit.gene_arrays import Floats, Genes, columns, pieces, sum_rows
from fm_platform.expression.fit.normal import Normal

MIN_DISPERSION = 1e-8
FLOOR_MU = 0.5
"""Fitted means below this count as this (DESeq2's rule)."""


def max_dispersion(n_samples: int) -> float:
    """The upper bound of dispersions."""
    return float(max(10, n_samples))


@dataclass(frozen=True, eq=False)
class Prior:
    """The normal prior of log dispersion.

    Attributes:
        mean: Log of the trend, per gene.
        variance: One for all genes.
    """

    mean: Floats
    variance: float


@dataclass(frozen=True, eq=False)
class Objective:
    """Log posterior (or adjusted profile likelihood) of log dispersion, for a block of genes.

    Attributes:
        normal: The design.
        counts: Samples x genes.
        mu: Fitted means, floored.
        prior: None for the gene-wise estimate.
    """

    normal: Normal
    counts: Floats
    mu: Floats
    prior: Prior | None = None

    def take(self, genes: Genes) -> Objective:
        """The same for some of the genes."""
        prior = None if self.prior is None else Prior(self.prior.mean[genes], self.prior.variance)
        return Objective(self.normal, columns(self.counts, genes), columns(self.mu, genes), prior)

    def value(self, log_alpha: Floats) -> Floats:
        """The objective."""
        value = np.empty(len(log_alpha))
        for part in pieces(*self.counts.shape):
            value[part] = self._value(self.counts[:, part], self.mu[:, part], log_alpha[part])
        return self._with_prior(value, log_alpha)

    def value_and_slope(self, log_alpha: Floats) -> tuple[Floats, Floats]:
        """The objective and its derivative in log alpha."""
        value, slope = np.empty(len(log_alpha)), np.empty(len(log_alpha))
        for part in pieces(*self.counts.shape):
            both = self._value_and_slope(self.counts[:, part], self.mu[:, part], log_alpha[part])
            value[part], slope[part] = both
        if self.prior is not None:
            slope -= (log_alpha - self.prior.mean) / self.prior.variance
        return self._with_prior(value, log_alpha), slope

    def _value(self, counts: Floats, mu: Floats, log_alpha: Floats) -> Floats:
        alpha = np.exp(log_alpha)
        scaled = mu * alpha
        grown = np.log1p(scaled)
        terms = log_gamma_ratio(counts, 1.0 / alpha)
        terms -= counts * (grown - log_alpha)
        total = sum_rows(terms) - sum_rows(grown) / alpha
        scaled += 1.0
        normal = self.normal.sparser
        entries = normal.gram(normal.by_cell(mu / scaled))
        total -= 0.5 * normal.log_determinant(normal.factor(entries))
        return total

    def _value_and_slope(self, counts: Floats, mu: Floats, log_alpha: Floats) -> tuple[Floats, Floats]:
        """Sums over samples of what varies within a gene; what does not is multiplied once."""
        alpha = np.exp(log_alpha)
        r = 1.0 / alpha
        normal, n_samples = self.normal.sparser, len(counts)
        weights = mu * alpha
        nb_grown = np.log1p(weights)
        weights += 1.0
        np.divide(1.0, weights, out=weights)
        gamma_grown, value, slope = log_gamma_parts(counts, r)
        total = sum_rows(value) + (r + (SHIFT - 0.5)) * sum_rows(gamma_grown) - r * sum_rows(nb_grown)
        total += sum_rows(counts) * (np.log1p(SHIFT * alpha) - 1.0)
        gamma_grown -= nb_grown
        slope += gamma_grown
        gamma_grown *= counts
        total += sum_rows(gamma_grown)
        np.subtract(mu, counts, out=value)
        value *= weights
        weights *= mu
        rate = sum_rows(slope) + alpha * sum_rows(value) + n_samples * slope_at_no_count(r)
        rate *= -r
        entries = normal.gram(normal.by_cell(weights))
        factor = normal.factor(entries)
        total -= 0.5 * normal.log_determinant(factor)
        weights *= weights
        changes = normal.gram(normal.by_cell(weights))
        rate += 0.5 * alpha * normal.trace(normal.inverse(factor), changes)
        return total, rate

    def _with_prior(self, total: Floats, log_alpha: Floats) -> Floats:
        if self.prior is not None:
            total -= 0.5 * (log_alpha - self.prior.mean) ** 2 / self.prior.variance
        return total


def rough_dispersions(normed: Floats, fitted: Floats, n_columns: int) -> Floats:
    """Moment estimate around a linear fit of normalised counts, floored at 0.

    Args:
        normed: Counts over size factors, samples x genes.
        fitted: Least-squares fit of ``normed`` on the design.
        n_columns: Columns of the design.
    """
    mu = np.maximum(fitted, 1.0)
    terms = ((normed - mu) ** 2 - mu) / mu**2
    return np.maximum(sum_rows(terms) / (len(normed) - n_columns), 0.0)


def moment_dispersions(normed: Floats, mean: Floats, mean_inverse_factor: float) -> Floats:
    """(variance - mean / size factor) / mean squared, per gene; may be negative.

    Args:
        normed: Counts over size factors, samples x genes.
        mean: Its mean per gene.
        mean_inverse_factor: Mean of 1 / size factor over samples.
    """
    variance = sum_rows((normed - mean) ** 2) / (len(normed) - 1)
    return np.asarray((variance - mean_inverse_factor * mean) / mean**2, dtype=np.float64)
