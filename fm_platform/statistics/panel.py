"""One outcome of all expected subjects at all planned visits, as whole numbers, with the holes left in.

Belongs here: who is expected, and what each has at each visit. Does not
belong here: what is done about holes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from fm_platform.statistics.integers import Ints

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Panel:
    """One outcome in one stratum.

    Attributes:
        stratum: The stratum; None for everyone.
        subjects: Expected subjects in order.
        arms: Their arms.
        visits: Planned visits in order.
        baseline: The baseline's place among them.
        values: Values times ``scale``, shape (subjects, visits); 0 where there is none.
        known: Whether there is a value, same shape.
    """

    outcome: str
    stratum: str | None
    subjects: tuple[str, ...]
    arms: tuple[str | None, ...]
    visits: tuple[str, ...]
    baseline: int
    values: Ints
    known: Bools
    scale: int

    @property
    def later(self) -> list[int]:
        """Places of the visits other than baseline."""
        return [at for at in range(len(self.visits)) if at != self.baseline]


class Panels:
    """The panels of a study."""

    def __init__(self, scores: pl.DataFrame, participants: pl.DataFrame, visits: pl.DataFrame) -> None:
        """Prepare.

        Args:
            scores: Rows of ``marts.symptom_scores``.
            participants: Rows of ``marts.participants``; those of the population are expected.
            visits: Rows of ``study.visits``.
        """
        planned = visits.sort("position")
        self._visits = tuple(planned["visit_id"].to_list())
        baselines = [at for at, is_it in enumerate(planned["is_baseline"].to_list()) if is_it]
        self._baseline = baselines[0] if baselines else None
        people = participants.filter("in_population").sort("subject_id")
        arm = pl.col("arm") if "arm" in people.columns else pl.lit(None, dtype=pl.String).alias("arm")
        self._people = people.select("subject_id", "stratum", arm.cast(pl.String))
        self._strata: list[str | None] = [
            None,
            *self._people["stratum"].drop_nulls().unique().sort().to_list(),
        ]
        places = pl.DataFrame(
            {"visit_id": self._visits, "_visit": range(len(self._visits))},
            schema={"visit_id": pl.String, "_visit": pl.Int64},
        )
        placed = scores.join(places, on="visit_id").select(
            "subject_id", "outcome_id", "_visit", "value_exact", "value_scale"
        )
        self._by_outcome: dict[Any, pl.DataFrame] = placed.partition_by("outcome_id", as_dict=True)
        self._empty = placed.clear()

    def of(self, outcome: str) -> Iterator[Panel]:
        """The outcome's panel of everyone, then of each stratum; none where the study has no baseline."""
        if self._baseline is None:
            return
        rows = self._by_outcome.get((outcome,), self._empty)
        for stratum in self._strata:
            people = self._people if stratum is None else self._people.filter(pl.col("stratum") == stratum)
            yield self._panel(outcome, stratum, people, rows, self._baseline)

    def _panel(
        self, outcome: str, stratum: str | None, people: pl.DataFrame, rows: pl.DataFrame, baseline: int
    ) -> Panel:
        numbered = people.select("subject_id").with_row_index("_subject")
        cells = rows.join(numbered, on="subject_id").sort("_subject", "_visit")
        scale = math.lcm(1, *cells["value_scale"].unique().to_list())
        shape = (people.height, len(self._visits))
        values, known = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)
        at = cells["_subject"].to_numpy(), cells["_visit"].to_numpy()
        factor = scale // cells["value_scale"].to_numpy().astype(np.int64)
        values[at] = cells["value_exact"].to_numpy().astype(np.int64) * factor
        known[at] = True
        return Panel(
            outcome=outcome,
            stratum=stratum,
            subjects=tuple(people["subject_id"].to_list()),
            arms=tuple(people["arm"].to_list()),
            visits=self._visits,
            baseline=baseline,
            values=values,
            known=known,
            scale=scale,
        )
