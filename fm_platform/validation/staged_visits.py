"""What the clinical rules look at: staged subjects, visits, answers and scores of one study, as frames.

Belongs here: the frozen bundle and look-ups on it. Does not belong here: the rules (``clinical_queries``),
reading the warehouse.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from fm_platform.study.model import Study

WHO = ("subject_id", "visit_id")


@dataclass(frozen=True)
class StagedVisits:
    """The staged half of a study.

    Attributes:
        study: The study.
        subjects: ``staging.stg_subjects``.
        visits: ``staging.stg_visits``.
        answers: ``staging.stg_answers``.
        measures: ``staging.stg_measures``.
        scores: ``staging.stg_instrument_scores``.
        attributes: Role (``fm_type``, ``concomitant_dx``, ``first_dose``, ``start``) to source, subject_id and
            value, for roles that study.yaml declares.
        samples: Sample id, subject and visit of the sample sheet, if there is one.
    """

    study: Study
    subjects: pl.DataFrame
    visits: pl.DataFrame
    answers: pl.DataFrame
    measures: pl.DataFrame
    scores: pl.DataFrame
    attributes: dict[str, pl.DataFrame]
    samples: pl.DataFrame | None = None

    @cached_property
    def planned(self) -> pl.DataFrame:
        """The planned visits: visit_id, position, low and high day of the window, whether baseline."""
        rows = [
            {
                "visit_id": visit.id,
                "position": at,
                "low": visit.window[0] if visit.window else None,
                "high": visit.window[1] if visit.window else None,
                "is_baseline": visit.baseline,
            }
            for at, visit in enumerate(self.study.visits)
        ]
        schema = {"visit_id": pl.String, "position": pl.Int64, "low": pl.Int64, "high": pl.Int64}
        return pl.DataFrame(rows, schema={**schema, "is_baseline": pl.Boolean})

    @cached_property
    def population(self) -> pl.DataFrame:
        """The subjects who count in denominators."""
        return self.subjects.filter(pl.col("in_population")).select("subject_id")

    @cached_property
    def dated(self) -> pl.DataFrame:
        """Planned visits with a date.

        source, subject_id, visit_id, visit_date, position, low, high and study_day.
        Day 1 is the subject's declared start, else the date of the baseline visit.
        """
        visits = self.visits.filter(pl.col("visit_date").is_not_null()).join(self.planned, on="visit_id")
        first = (
            visits.filter("is_baseline").group_by("subject_id").agg(pl.col("visit_date").min().alias("start"))
        )
        if "start" in self.attributes:
            first = self.attributes["start"].select("subject_id", pl.col("value").alias("start"))
        day = (pl.col("visit_date") - pl.col("start")).dt.total_days() + 1
        return visits.join(first, on="subject_id", how="left").with_columns(day.alias("study_day"))

    def items(self, instrument: str) -> pl.DataFrame:
        """The answers to a questionnaire."""
        return self.answers.filter(pl.col("instrument") == instrument)

    def source_of(self, instrument: str) -> str:
        """The source with a questionnaire's answers."""
        return next((use.source for use in self.study.instruments if use.use == instrument), "")

    def score(self, score_id: str) -> pl.DataFrame:
        """A score: subject_id, visit_id, value; only where there is one."""
        own = self.scores.filter((pl.col("score_id") == score_id) & pl.col("value").is_not_null())
        return own.select(*WHO, "value")
