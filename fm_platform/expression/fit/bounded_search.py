"""Coefficients of a gene whose reweighting does not settle, as DESeq2 looks for them then.

Belongs here: DESeq2's second search (R's ``optim``, L-BFGS-B, slopes by differences), with its start, bounds and end.
Does not belong here: reweighting, and the true optimum (``irls``), which this search may end well before.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fm_platform.expression.fit.gene_arrays import Floats

_BOUND = 30.0
_STEP = 1e-3
_GAIN = 1e7 * np.finfo(float).eps
_ROUNDS = 100
_PRIOR_SD = 1e3
_LOST = 1e300
"""What stands for an objective that is no number."""

LogLikelihood = Callable[[Floats, Floats], Floats]


def bounded_search(
    design: Floats, log_factors: Floats, likelihood: LogLikelihood, ended: Floats, begin: Floats
) -> Floats:
    """The coefficients where DESeq2's second search ends, natural logarithms.

    Args:
        design: Samples x columns.
        log_factors: Of each sample.
        likelihood: Log likelihoods of logarithms of means and of the means, samples x trials.
        ended: Where reweighting ended.
        begin: Where it began: taken, as DESeq2 does, for logarithms to base 2 when ``ended`` is beyond bounds.
    """
    from scipy.optimize import minimize

    def objective(trials: Floats) -> Floats:
        """Minus log posterior of each column of ``trials``, logarithms to base 2."""
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            log_mu = math.log(2) * (design @ trials) + log_factors[:, None]
            prior = -0.5 * (trials / _PRIOR_SD) ** 2 - math.log(_PRIOR_SD * math.sqrt(2 * math.pi))
            value = -(likelihood(log_mu, np.exp(log_mu)) + prior.sum(axis=0))
        return np.where(np.isfinite(value), value, _LOST)

    def value_and_slopes(at: Floats) -> tuple[float, Floats]:
        steps = _STEP * np.eye(len(at))
        above = np.minimum(at[:, None] + steps, _BOUND)
        below = np.maximum(at[:, None] - steps, -_BOUND)
        values = objective(np.concatenate([at[:, None], above, below], axis=1))
        n = len(at)
        return float(values[0]), (values[1 : n + 1] - values[n + 1 :]) / (np.diag(above) - np.diag(below))

    in_bits = ended / math.log(2)
    usable = np.isfinite(in_bits).all() and (np.abs(in_bits) < _BOUND).all()
    found = minimize(
        value_and_slopes,
        in_bits if usable else begin,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_BOUND, _BOUND)] * len(begin),
        options={"maxcor": 5, "ftol": _GAIN, "gtol": 0.0, "maxiter": _ROUNDS, "maxfun": 100 * _ROUNDS},
    )
    return np.asarray(found.x * math.log(2), dtype=np.float64)
