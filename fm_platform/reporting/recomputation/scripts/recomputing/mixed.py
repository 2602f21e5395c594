"""A linear mixed model: fixed visits, a random intercept for each subject, REML, Satterthwaite's degrees of freedom.

Belongs here: the fit in matrices, subject by subject. Does not belong here: who takes part. Formulas: Searle, Casella &
McCulloch, Variance Components (1992), chapter 6; degrees of freedom: Giesbrecht & Burns 1985, doi 10.2307/2530654.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, stats

_SHARES = np.concatenate([np.arange(128) / 128, [1 - 2.0**-12]])


@dataclass(frozen=True)
class Model:
    """A fitted model; without estimates where there is no fit."""

    subjects: np.ndarray
    contrasts: dict[int, dict[str, float]]

    def says(self, visit: int) -> dict[str, Any]:
        """The contrast of a visit with baseline."""
        return self.contrasts.get(visit, {})


def mixed_model(values: np.ndarray, known: np.ndarray, baseline: int) -> Model:
    """Fit the model.

    Args:
        values: Shape (subjects, visits).
        known: Whether there is a value.
        baseline: The baseline's column.
    """
    held = np.flatnonzero(known.any(axis=0))
    changes = np.where(known, values - values[:, [baseline]], np.nan)
    spread = np.nanmax(changes[:, held], axis=0) - np.nanmin(changes[:, held], axis=0)
    if not (spread > 0).any():
        return Model(values, {})
    fit = _Fit(values[:, held], known[:, held])
    shares = [fit.deviance(share / (1 - share)) for share in _SHARES]
    best = int(np.argmin(shares))
    if best == len(_SHARES) - 1:
        return Model(values, {})
    ratio = 0.0
    if best or fit.deviance(1e-7) < fit.deviance(0.0):
        low, high = _SHARES[max(best - 1, 0)], _SHARES[best + 1]
        found = optimize.minimize_scalar(
            lambda share: fit.deviance(share / (1 - share)),
            bounds=(low, high),
            method="bounded",
            options={"xatol": 1e-13},
        )
        share = fit.polished(found.x / (1 - found.x))
        ratio = share
    first = int(np.flatnonzero(held == baseline)[0])
    return Model(
        values,
        {int(visit): fit.contrast(ratio, place, first) for place, visit in enumerate(held) if place != first},
    )


class _Fit:
    """Sums over subjects of what the restricted likelihood and its derivatives are made of."""

    def __init__(self, values: np.ndarray, known: np.ndarray) -> None:
        self.parts = [
            (np.eye(known.shape[1])[here], own[here]) for own, here in zip(values, known, strict=True)
        ]
        self.size = int(known.sum())
        self.visits = known.shape[1]

    def pieces(self, ratio: float) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
        """X'V^-1X inverted, the means, y'Py and log|V| + log|X'V^-1X|, for a residual variance of 1."""
        m, b, q, logs = np.zeros((self.visits, self.visits)), np.zeros(self.visits), 0.0, 0.0
        for x, y in self.parts:
            inverse = self._inverse(len(y), ratio)
            m += x.T @ inverse @ x
            b += x.T @ inverse @ y
            q += y @ inverse @ y
            logs += np.log1p(len(y) * ratio)
        c = np.linalg.inv(m)
        return c, c @ b, float(q - b @ c @ b), logs + np.linalg.slogdet(m)[1]

    @staticmethod
    def _inverse(n: int, ratio: float) -> np.ndarray:
        return np.eye(n) - ratio / (1 + n * ratio)

    def deviance(self, ratio: float) -> float:
        """-2 log restricted likelihood, the residual variance profiled out, less a constant."""
        _, _, q, logs = self.pieces(ratio)
        return float(logs + (self.size - self.visits) * np.log(q))

    def polished(self, ratio: float) -> float:
        """The ratio at which both derivatives of the restricted likelihood vanish, by Newton's steps."""
        for _ in range(50):
            gradient, information, s = self.derivatives(ratio)
            step = np.linalg.solve(information, gradient)
            moved = max(0.0, (ratio * s + step[0]) / (s + step[1]))
            if abs(moved - ratio) <= 1e-14 * max(ratio, 1e-6):
                return moved
            ratio = moved
        return ratio

    def derivatives(self, ratio: float) -> tuple[np.ndarray, np.ndarray, float]:
        """Gradient and observed information of the restricted log-likelihood by (intercepts', residual) variance."""
        c, means, q, _ = self.pieces(ratio)
        s = q / (self.size - self.visits)
        trace, square = np.zeros(2), np.zeros((2, 2))
        a, cross, bent = np.zeros((2, self.visits, self.visits)), {}, np.zeros((2, self.visits))
        quadratic, curve = np.zeros(2), np.zeros((2, 2))
        for i in range(2):
            for j in range(2):
                cross[i, j] = np.zeros((self.visits, self.visits))
        for x, y in self.parts:
            n = len(y)
            inverse = self._inverse(n, ratio) / s
            slopes = (np.ones((n, n)), np.eye(n))
            rest = inverse @ (y - x @ means)
            for i in range(2):
                own = inverse @ slopes[i]
                trace[i] += np.trace(own)
                a[i] += x.T @ own @ inverse @ x
                turned = slopes[i] @ rest
                quadratic[i] += rest @ turned
                bent[i] += x.T @ inverse @ turned
                for j in range(2):
                    both = own @ inverse @ slopes[j]
                    square[i, j] += np.trace(both)
                    cross[i, j] += x.T @ both @ inverse @ x
                    curve[i, j] += turned @ inverse @ slopes[j] @ rest
        c = c * s
        gradient = np.array([-(trace[i] - np.trace(c @ a[i])) / 2 + quadratic[i] / 2 for i in range(2)])
        information = np.array(
            [
                [
                    -(square[i, j] - 2 * np.trace(c @ cross[i, j]) + np.trace(c @ a[i] @ c @ a[j])) / 2
                    + curve[i, j]
                    - bent[i] @ c @ bent[j]
                    for j in range(2)
                ]
                for i in range(2)
            ]
        )
        self._slopes = [c @ a[i] @ c for i in range(2)]
        return gradient, information, s

    def contrast(self, ratio: float, visit: int, baseline: int) -> dict[str, float]:
        """A visit against baseline."""
        _, information, s = self.derivatives(ratio)
        c, means, _, _ = self.pieces(ratio)
        weights = np.zeros(self.visits)
        weights[[visit, baseline]] = 1, -1
        variance = float(weights @ c @ weights) * s
        df = float(self.size - self.visits)
        if ratio:
            slope = np.array([weights @ own @ weights for own in self._slopes])
            df = float(2 * variance**2 / (slope @ np.linalg.solve(information, slope)))
        estimate = float(weights @ means)
        half = float(stats.t.ppf(0.975, df)) * variance**0.5
        return {
            "mean_change": estimate,
            "mean_low": estimate - half,
            "mean_high": estimate + half,
            "mean_df": df,
            "p_value": float(2 * stats.t.sf(abs(estimate) / variance**0.5, df)),
        }
