"""Who takes part, in which stratum and arm, with which values: what every comparison starts from.

Belongs here: the study's people, visits, outcomes and values. Does not belong here: statistics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from recomputing.reading import Folder, Row, distinct
from recomputing.scores import Values, instrument_scores


@dataclass(frozen=True)
class Group:
    """The people of the population over all (stratum None) or in one stratum, by subject."""

    stratum: str | None
    people: Sequence[Row]

    @property
    def subjects(self) -> list[str]:
        """Their ids."""
        return [str(row["subject_id"]) for row in self.people]


class Data:
    """The study as the folder has it."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.values: Values = instrument_scores(folder)
        self.outcomes = sorted(folder.rows("outcomes"), key=lambda row: int(row["position"]))
        self.visits = sorted(folder.rows("visits"), key=lambda row: int(row["position"]))
        self.visit_ids = [str(row["visit_id"]) for row in self.visits]
        self.baseline = next(
            (str(row["visit_id"]) for row in self.visits if row["is_baseline"] == "true"), None
        )
        self.later = [visit for visit in self.visit_ids if visit != self.baseline]
        people = [row for row in folder.rows("participants") if row["in_population"] == "true"]
        self.people = sorted(people, key=lambda row: str(row["subject_id"]))
        strata = sorted(distinct(row["stratum"] for row in self.people))
        self.groups = [Group(None, self.people)] + [
            Group(stratum, [row for row in self.people if row["stratum"] == stratum]) for stratum in strata
        ]

    def of(self, name: str, visit: str | None) -> dict[str, Fraction]:
        """Subject to value of a score or variable."""
        return {} if visit is None else self.values.get((name, visit), {})

    def series(self, outcome: Row, group: Group) -> Series:
        """An outcome of a group at all visits."""
        name = str(outcome["score_id"] or outcome["variable"])
        columns = [self.of(name, visit) for visit in self.visit_ids]
        table = [[column.get(subject) for column in columns] for subject in group.subjects]
        scale = math.lcm(1, *(value.denominator for row in table for value in row if value is not None))
        return Series(
            values=np.array(
                [[int((value or 0) * scale) for value in row] for row in table], dtype=np.int64
            ).reshape(len(table), len(columns)),
            known=np.array([[value is not None for value in row] for row in table], dtype=bool).reshape(
                len(table), len(columns)
            ),
            scale=scale,
            baseline=self.visit_ids.index(self.baseline) if self.baseline is not None else None,
        )

    def comparisons(self) -> Iterator[tuple[Row, str, int, Group, Series]]:
        """Every outcome, later visit (with its place) and group."""
        for outcome in self.outcomes:
            made = [(group, self.series(outcome, group)) for group in self.groups]
            for visit in self.later:
                for group, series in made:
                    yield outcome, visit, self.visit_ids.index(visit), group, series


@dataclass(frozen=True)
class Series:
    """An outcome of a group: values times scale, shape (subjects, visits), and whether there is one."""

    values: np.ndarray
    known: np.ndarray
    scale: int
    baseline: int | None

    def complete(self, visit: int) -> np.ndarray:
        """Who has a value at baseline and at a visit."""
        if self.baseline is None:
            return np.zeros(len(self.values), dtype=bool)
        return self.known[:, self.baseline] & self.known[:, visit]

    def pairs(self, visit: int) -> tuple[np.ndarray, np.ndarray]:
        """Baseline and later values of those who have both."""
        has = self.complete(visit)
        if self.baseline is None:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        return self.values[has, self.baseline], self.values[has, visit]
