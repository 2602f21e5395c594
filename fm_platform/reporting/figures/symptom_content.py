"""What the symptom figure shows: its panels, participants, strata and caption.

Belongs here: gathering and ordering values, choosing colours. Does not belong here: drawing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.reporting.characteristics import population, strata_in_order
from fm_platform.reporting.figures import drawing
from fm_platform.study.model import Study

MOST_PANELS = 12
MOST_LABELLED = 30
"""Above this many participants the lines are thin and unlabelled, with each stratum's median on top."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@dataclass(frozen=True)
class Stratum:
    """How a stratum is drawn; ``value`` None stands for participants without a recorded one."""

    value: str | None
    label: str
    colour: str
    marker: str


@dataclass(frozen=True, eq=False)
class Panel:
    """One outcome: its scale from ``low`` to ``high``; ``values`` are subjects x visits, NaN if missing."""

    outcome: str
    label: str
    better: str
    low: float
    high: float
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SymptomContent:
    """All that is drawn; ``stratum_of`` is the place in ``strata`` of each of the ``subjects``."""

    panels: tuple[Panel, ...]
    left_out: int
    subjects: tuple[str, ...]
    stratum_of: tuple[int, ...]
    strata: tuple[Stratum, ...]
    visits: tuple[str, ...]
    synthetic: bool

    @property
    def labelled(self) -> bool:
        """Whether every line carries its study id."""
        return len(self.subjects) <= MOST_LABELLED


def symptom_content(
    scores: pl.DataFrame, participants: pl.DataFrame, outcomes: pl.DataFrame, study: Study
) -> SymptomContent:
    """Gather the population's values of every declared outcome (at most 12) at the planned visits.

    Args:
        scores: `marts.symptom_scores`.
        participants: `marts.participants`.
        outcomes: `study.outcomes`.
        study: For visits, strata and labels.
    """
    people = population(participants).sort("subject_id")
    subjects = tuple(people["subject_id"].to_list())
    strata = _strata(people, study)
    index_of = {stratum.value: index for index, stratum in enumerate(strata)}
    known = people["stratum"].to_list() if "stratum" in people.columns else [None] * len(subjects)
    declared = outcomes.sort("position", "outcome_id")
    row_of = {subject: row for row, subject in enumerate(subjects)}
    column_of = {visit.id: column for column, visit in enumerate(study.visits)}
    panels = []
    for outcome in declared.head(MOST_PANELS).iter_rows(named=True):
        values = np.full((len(subjects), len(study.visits)), np.nan)
        wanted = scores.filter(
            (pl.col("outcome_id") == outcome["outcome_id"]) & pl.col("value").is_not_null()
        )
        for subject, visit, value in wanted.select("subject_id", "visit_id", "value").iter_rows():
            if subject in row_of and visit in column_of:
                values[row_of[subject], column_of[visit]] = value
        panels.append(_panel(outcome, values))
    return SymptomContent(
        panels=tuple(panels),
        left_out=max(0, declared.height - MOST_PANELS),
        subjects=subjects,
        stratum_of=tuple(index_of[value] for value in known),
        strata=strata,
        visits=tuple(visit.label or visit.id for visit in study.visits),
        synthetic=study.study.synthetic,
    )


def _panel(outcome: Mapping[str, Any], values: NDArray[np.float64]) -> Panel:
    """A panel whose axis is the outcome's whole scale, wider only if a value lies outside it."""
    seen = values[np.isfinite(values)]
    ends = [float(end) for end in (outcome["range_low"], outcome["range_high"]) if end is not None]
    low, high = (float(f([*ends, *seen, *([] if ends or seen.size else [0.0])])) for f in (min, max))
    return Panel(
        outcome=outcome["outcome_id"],
        label=outcome["label"] or outcome["outcome_id"],
        better=outcome["better"] or "lower",
        low=low,
        high=high if high > low else low + 1,
        values=values,
    )


def _strata(people: pl.DataFrame, study: Study) -> tuple[Stratum, ...]:
    values = strata_in_order(people, study)
    fixed = {"primary": drawing.RED, "secondary": drawing.BLUE}
    others = iter(value for value in values if value.casefold() not in fixed)
    colours = {value: drawing.PALETTE[index % len(drawing.PALETTE)] for index, value in enumerate(others)}
    strata = [
        Stratum(
            value=value,
            label=study.label(study.strata or "stratum", value),
            colour=fixed.get(value.casefold()) or colours[value],
            marker=_MARKERS[index % len(_MARKERS)],
        )
        for index, value in enumerate(values)
    ]
    if not strata:
        return (Stratum(None, "", drawing.NEUTRAL, "o"),)
    if people["stratum"].null_count():
        strata.append(Stratum(None, "Not recorded", drawing.NOT_RECORDED, "x"))
    return tuple(strata)


def content_caption(content: SymptomContent) -> str:
    """n per visit, what a line is, and which direction is worse."""
    present = np.zeros((len(content.subjects), len(content.visits)), dtype=bool)
    for panel in content.panels:
        present |= np.isfinite(panel.values)
    counts = zip(content.visits, present.sum(axis=0), strict=True)
    better_up = [panel.label for panel in content.panels if panel.better == "higher"]
    worse = "Higher = worse in every panel."
    if better_up:
        few = len(better_up) < len(content.panels)
        worse = (
            f"Higher = worse, except in {', '.join(better_up)} (higher = better)."
            if few
            else "Higher = better."
        )
    sentences = [
        "One line per participant"
        + (", labelled with the study id." if content.labelled else "; thick: medians."),
        "Participants with a value: " + ", ".join(f"{visit} n = {n}" for visit, n in counts) + ";",
        "n of each panel stands below its axis; the upright axis is the outcome's whole scale. Lines break at missing "
        "visits; nothing is carried forward.",
        worse,
    ]
    if content.left_out:
        sentences.append(f"{content.left_out} further declared outcomes are not drawn.")
    return " ".join(sentences)
