"""Baseline and later values of the same subjects, as whole numbers, by outcome, visit and stratum.

Belongs here: who is in a comparison and who is missing from it. Does not belong
here: what is computed from the pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from fm_platform.errors import FmError
from fm_platform.statistics.integers import Ints

_PAIR_KEY = ("subject_id", "visit_id", "outcome_id")


@dataclass(frozen=True)
class Pairs:
    """The complete pairs of one outcome at one visit in one stratum.

    Attributes:
        stratum: The stratum's value; None for all subjects.
        n_expected: Subjects of the population in this stratum, with or without data.
        base: Baseline values times ``scale``, ordered by subject; ``post`` likewise.
    """

    outcome: str
    visit: str
    stratum: str | None
    n_expected: int
    base: Ints
    post: Ints
    scale: int

    @property
    def n_missing(self) -> int:
        """Expected subjects without a complete pair."""
        return self.n_expected - len(self.base)


def later_visits(visits: pl.DataFrame) -> list[str]:
    """Ids of the planned visits after baseline, in their order."""
    return visits.filter(~pl.col("is_baseline")).sort("position")["visit_id"].to_list()


class PairedData:
    """The pairs of a study, ready to be taken by outcome and visit."""

    def __init__(
        self, change: pl.DataFrame, scores: pl.DataFrame, participants: pl.DataFrame, visits: pl.DataFrame
    ) -> None:
        """Join pairs with their strata.

        Args:
            change: Rows of ``marts.symptom_change``.
            scores: Rows of ``marts.symptom_scores``.
            participants: Rows of ``marts.participants``.
            visits: Rows of ``study.visits``.
        """
        population = participants.filter(pl.col("in_population")).select("subject_id", "stratum")
        known = population["stratum"].drop_nulls()
        self._expected: dict[str | None, int] = {None: population.height}
        for stratum in sorted(known.unique().to_list()):
            self._expected[stratum] = int((known == stratum).sum())
        baseline = visits.filter(pl.col("is_baseline"))["visit_id"].to_list()
        own = scores.select(*_PAIR_KEY, _there=True)
        pairs = (
            change.select(*_PAIR_KEY, "base_exact", "base_scale", "post_exact", "post_scale")
            .join(population, on="subject_id", how="inner")
            .join(
                own.filter(pl.col("visit_id").is_in(baseline)).drop("visit_id").rename({"_there": "_base"}),
                on=["subject_id", "outcome_id"],
                how="left",
            )
            .join(own.rename({"_there": "_post"}), on=list(_PAIR_KEY), how="left")
            .sort(_PAIR_KEY)
        )
        if pairs["_base"].null_count() or pairs["_post"].null_count():
            raise FmError("a pair of marts.symptom_change has a value that marts.symptom_scores lacks")
        self._empty = pairs.clear()
        self._by_outcome_visit: dict[Any, pl.DataFrame] = pairs.partition_by(
            "outcome_id", "visit_id", as_dict=True, maintain_order=True
        )

    def of(self, outcome: str, visit: str) -> Iterator[Pairs]:
        """The pairs of all subjects, then those of each stratum in sorted order; empty ones included."""
        rows = self._by_outcome_visit.get((outcome, visit), self._empty)
        for stratum, n_expected in self._expected.items():
            chosen = rows if stratum is None else rows.filter(pl.col("stratum") == stratum)
            yield _pairs(outcome, visit, stratum, n_expected, chosen)


def _pairs(outcome: str, visit: str, stratum: str | None, n_expected: int, rows: pl.DataFrame) -> Pairs:
    scales = pl.concat([rows["base_scale"], rows["post_scale"].alias("base_scale")]).unique().to_list()
    scale = math.lcm(1, *scales)
    return Pairs(
        outcome=outcome,
        visit=visit,
        stratum=stratum,
        n_expected=n_expected,
        base=_rescaled(rows["base_exact"], rows["base_scale"], scale),
        post=_rescaled(rows["post_exact"], rows["post_scale"], scale),
        scale=scale,
    )


def _rescaled(exact: pl.Series, own_scale: pl.Series, scale: int) -> Ints:
    factor = scale // own_scale.to_numpy().astype(np.int64)
    return exact.to_numpy().astype(np.int64) * factor
