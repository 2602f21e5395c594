"""The ``study.*`` tables: what study.yaml declares, as rows that SQL models can join.

Belongs here: turning declarations into tables. Does not belong here: data of subjects.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, columns
from fm_platform.instruments.model import Instrument
from fm_platform.lineage.code import code_version
from fm_platform.study.clinical import Outcome


def config_assets() -> list[Asset]:
    """The ``study.*`` assets of a clinical study. Their columns come from study.yaml and from no other table."""
    return [replace(asset, lineage={column.name: () for column in asset.columns}) for asset in _declared()]


def _declared() -> list[Asset]:
    return [
        Asset(
            table="study.visits",
            description="The planned visits of study.yaml, in order.",
            group="study",
            kinds=("yaml", "duckdb"),
            half="clinical",
            key=("visit_id",),
            study_keys=("visits",),
            code_version=code_version(build_visits),
            build=build_visits,
            columns=columns(
                visit_id="The visit's id in study.yaml",
                label="How tables and figures call it",
                day="Planned study day (day 1 is the baseline)",
                position="Order, from 1",
                is_baseline="Whether changes are measured from this visit",
                window_low="First day that counts as this visit",
                window_high="Last day that counts as this visit",
            ),
        ),
        Asset(
            table="study.outcomes",
            description="The tracked outcomes of study.yaml, with the range of their scale.",
            group="study",
            kinds=("yaml", "duckdb"),
            half="clinical",
            key=("outcome_id",),
            study_keys=("instruments", "outcomes"),
            code_version=code_version(build_outcomes),
            build=build_outcomes,
            columns=columns(
                outcome_id="The outcome's id in study.yaml",
                label="How tables and figures call it",
                score_id="The instrument score it is, if it is one",
                variable="The plain column it is (source.column), if it is one",
                family="The family within which p-values are adjusted",
                better="Whether lower or higher values are better",
                range_low="Lowest value of the scale",
                range_high="Highest value of the scale",
                position="Order, from 1",
            ),
        ),
        Asset(
            table="study.responders",
            description="The responder definitions of study.yaml.",
            group="study",
            kinds=("yaml", "duckdb"),
            half="clinical",
            key=("responder_id",),
            study_keys=("responders",),
            code_version=code_version(build_responders),
            build=build_responders,
            columns=columns(
                responder_id="The definition's id in study.yaml",
                outcome_id="The outcome it looks at",
                reduction_percent="Smallest improvement, percent of baseline",
                label="How tables call it; null: they spell it out",
            ),
        ),
    ]


def build_visits(step: Step) -> Built:
    """``study.visits``."""
    rows = [
        {
            "visit_id": visit.id,
            "label": visit.label or visit.id,
            "day": visit.day,
            "position": position,
            "is_baseline": visit.baseline,
            "window_low": visit.window[0] if visit.window else None,
            "window_high": visit.window[1] if visit.window else None,
        }
        for position, visit in enumerate(step.study.visits, start=1)
    ]
    schema = {
        "visit_id": pl.String,
        "label": pl.String,
        "day": pl.Int32,
        "position": pl.Int32,
        "is_baseline": pl.Boolean,
        "window_low": pl.Int32,
        "window_high": pl.Int32,
    }
    return Built(rows=pl.DataFrame(rows, schema=schema))


def build_outcomes(step: Step) -> Built:
    """``study.outcomes``."""
    rows = []
    for position, outcome in enumerate(step.study.outcomes, start=1):
        low, high, label = _scale(outcome, step.instruments)
        rows.append(
            {
                "outcome_id": outcome.id,
                "label": outcome.label or label or outcome.id,
                "score_id": outcome.score,
                "variable": outcome.column,
                "family": outcome.family,
                "better": outcome.better,
                "range_low": low,
                "range_high": high,
                "position": position,
            }
        )
    schema = {
        "outcome_id": pl.String,
        "label": pl.String,
        "score_id": pl.String,
        "variable": pl.String,
        "family": pl.String,
        "better": pl.String,
        "range_low": pl.Float64,
        "range_high": pl.Float64,
        "position": pl.Int32,
    }
    return Built(rows=pl.DataFrame(rows, schema=schema))


def build_responders(step: Step) -> Built:
    """``study.responders``."""
    rows = [
        {
            "responder_id": responder.id,
            "outcome_id": responder.outcome,
            "reduction_percent": int(responder.reduction_exact * 100),
            "label": responder.label or None,
        }
        for responder in step.study.responders
    ]
    schema = {
        "responder_id": pl.String,
        "outcome_id": pl.String,
        "reduction_percent": pl.Int32,
        "label": pl.String,
    }
    return Built(rows=pl.DataFrame(rows, schema=schema))


def _scale(outcome: Outcome, instruments: tuple[Instrument, ...]) -> tuple[float | None, float | None, str]:
    """The range and label of an outcome's scale."""
    if outcome.score is None:
        low, high = outcome.range or (None, None)
        return low, high, ""
    instrument = next(i for i in instruments if outcome.score in i.score_ids)
    low, high = outcome.range or tuple(float(end) for end in instrument.range_of(outcome.score))
    return low, high, instrument.score(outcome.score).label
