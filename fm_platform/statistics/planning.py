"""The table ``stats.planning``: what this study could detect, and how large a trial would have to be.

Belongs here: which effects and designs are looked at, and the observed numbers they rest on. Does not belong
here: formulas (``sample_size``). Standard deviations of a few patients are guesses: their interval stands
beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from fm_platform.instruments.model import Instrument
from fm_platform.statistics import ENGINE_VERSION
from fm_platform.statistics import sample_size as size
from fm_platform.statistics import sources as by
from fm_platform.statistics.panel import Panel, Panels
from fm_platform.statistics.responder_tables import RATES
from fm_platform.warehouse.table import Table, count, direct, indirect, number, points, share, text

_OBSERVED = (
    *by.SCORED,
    *by.ALL_SCORED,
    *direct(RATES.name, "rate", how="AGGREGATION"),
    *indirect(RATES.name, "denominator", "stratum"),
    *indirect(by.OUTCOMES, "score_id", how="JOIN"),
    *by.EACH_VISIT,
    *by.EACH_OUTCOME,
    *by.POPULATION,
)

PLANNING = Table(
    "stats.planning",
    "What a series of this size can detect, and how large a two-arm trial would have to be.",
    key=("design", "variable", "visit", "assumption", "target_power"),
    reads=(by.SCORES, by.PEOPLE, by.OUTCOMES, by.VISITS, RATES.name),
    columns=(
        text("design", "The paired series as it is, or a two-arm trial and its test", _OBSERVED),
        text(
            "variable",
            "The outcome or responder definition",
            by.OF_OUTCOME,
            direct(RATES.name, "responder", how="IDENTITY"),
            _OBSERVED,
        ),
        text("visit", "The visit", by.OF_VISIT, direct(RATES.name, "visit", how="IDENTITY"), _OBSERVED),
        text(
            "assumption",
            "The effect that is planned for, in words",
            direct(RATES.name, "responders", "n"),
            _OBSERVED,
        ),
        number("target_power", "Power asked for; null where power is the answer", _OBSERVED),
        number(
            "effect",
            "The effect: outcome units, standard deviations (paired series) or a difference of rates",
            _OBSERVED,
        ),
        points("sd", "Standard deviation at baseline, as observed", _OBSERVED),
        points("sd_low", "Lower end of its 95 % interval", _OBSERVED),
        points("sd_high", "Upper end of that interval", _OBSERVED),
        number("correlation", "Correlation of baseline and later value, as observed", _OBSERVED),
        number("alpha", "Two-sided significance level", constant="the significance level in code"),
        number("power", "Power", _OBSERVED),
        count("n_per_group", "Patients an arm (paired series: patients)", _OBSERVED),
        share("dropout", "Share expected to drop out", _OBSERVED),
        count("n_enrolled", "Patients an arm to enrol for that", _OBSERVED),
        count(
            "n",
            "Subjects that the observed numbers come from",
            direct(RATES.name, "n", how="IDENTITY"),
            _OBSERVED,
        ),
        text("method", "Formula", _OBSERVED),
        by.VERSION,
    ),
)

POWERS = (0.8, 0.9)
STANDARDIZED = (0.3, 0.5, 0.8)
PAIRED_EFFECTS = (0.5, 0.8, 1.2, 2.0)
CONTROL_RATES = (0.2, 0.3, 0.4)
DROPOUT = 0.15
FEWEST = 3


def planning(
    scores: pl.DataFrame,
    participants: pl.DataFrame,
    outcomes: pl.DataFrame,
    visits: pl.DataFrame,
    rates: pl.DataFrame,
    *,
    instruments: Sequence[Instrument] = (),
) -> pl.DataFrame:
    """Power of the series as it is, and patients an arm of a two-arm trial.

    Args:
        scores: Rows of ``marts.symptom_scores``.
        participants: Rows of ``marts.participants``.
        outcomes: Rows of ``study.outcomes``.
        visits: Rows of ``study.visits``.
        rates: Rows of ``stats.responder_rates``; those of everyone, missing counted as not responding.
        instruments: Their minimal important differences are effects to plan for.

    Returns:
        The columns of ``PLANNING``. Outcomes with fewer than ``FEWEST`` complete pairs have no rows;
        the power of the series itself is left out above ``MOST_SIMULATED`` pairs.
    """
    panels = Panels(scores, participants, visits)
    rows: list[dict[str, Any]] = []
    for outcome in outcomes.sort("position").iter_rows(named=True):
        everyone = next(panels.of(outcome["outcome_id"]), None)
        if everyone is None:
            break
        important = important_differences(outcome["score_id"], instruments)
        for visit in everyone.later:
            rows += _outcome_rows(everyone, visit, important)
    rows += _responder_rows(rates)
    return PLANNING.frame(rows)


def important_differences(
    score_id: str | None, instruments: Sequence[Instrument]
) -> list[tuple[str, str, float]]:
    """Words, unit and value of a score's published minimal important differences.

    Args:
        score_id: The score, e.g. ``fiqr.total``; None: a plain column, which has none.
        instruments: The study's instruments.
    """
    found = []
    for instrument in instruments:
        for mcid in instrument.mcid:
            if score_id == f"{instrument.id}.{mcid.score}":
                unit = "%" if mcid.unit == "percent" else "points"
                words = f"difference of {float(mcid.value):g} {unit} ({mcid.derived_on})"
                found.append((words, mcid.unit, float(mcid.value)))
    return list(dict.fromkeys(found))


def _outcome_rows(
    panel: Panel, visit: int, important: Sequence[tuple[str, str, float]]
) -> Iterator[dict[str, Any]]:
    complete = panel.known[:, panel.baseline] & panel.known[:, visit]
    n = int(complete.sum())
    if n < FEWEST:
        return
    base, post = (panel.values[complete, at] / panel.scale for at in (panel.baseline, visit))
    sd = float(np.std(base, ddof=1))
    common: dict[str, Any] = {
        "variable": panel.outcome,
        "visit": panel.visits[visit],
        "n": n,
        "alpha": size.ALPHA,
    }
    for effect in PAIRED_EFFECTS if n <= size.MOST_SIMULATED else ():
        yield _filled(
            common,
            design="paired series of this size",
            assumption=f"true change of {effect:g} standard deviations of change",
            effect=effect,
            power=size.signed_rank_power(n, effect),
            n_per_group=n,
            method=f"exact signed-rank test, {size.SIMULATIONS:,} simulated normal series",
        )
    if sd == 0:
        return
    low, high = size.sd_interval(sd, n)
    correlation = float(np.corrcoef(base, post)[0, 1]) if float(np.std(post)) > 0 else 0.0
    effects = [
        (f"difference of {share:g} baseline standard deviations", share * sd) for share in STANDARDIZED
    ]
    for words, unit, value in important:
        effects.append((words, value * float(np.mean(base)) / 100 if unit == "percent" else value))
    for words, effect in effects:
        if effect <= 0:
            continue
        for power in POWERS:
            for design, needed, method in (
                ("two arms, t test", size.two_means(effect, sd, power), "normal approximation with z^2/4"),
                ("two arms, rank-sum test", size.rank_test(effect, sd, power), "t test over 3/pi"),
                (
                    "two arms, baseline-adjusted",
                    size.ancova(effect, sd, correlation, power),
                    "t test times 1 - r^2",
                ),
            ):
                yield _filled(
                    common,
                    design=design,
                    assumption=words,
                    effect=effect,
                    sd=sd,
                    sd_low=low,
                    sd_high=high,
                    correlation=correlation if "adjusted" in design else None,
                    target_power=power,
                    power=power,
                    n_per_group=max(2, needed),
                    method=method,
                )


def _responder_rows(rates: pl.DataFrame) -> Iterator[dict[str, Any]]:
    counted = rates.filter(
        (pl.col("denominator") == "non-responder imputation") & pl.col("stratum").is_null()
    )
    for row in counted.filter(pl.col("rate").is_not_null()).iter_rows(named=True):
        for control in CONTROL_RATES:
            if row["rate"] <= control or row["rate"] >= 1:
                continue
            for power in POWERS:
                yield _filled(
                    {"variable": row["responder"], "visit": row["visit"], "n": row["n"]},
                    design="two arms, responders",
                    assumption=f"{row['responders']}/{row['n']} observed, {control:.0%} in the control arm",
                    effect=row["rate"] - control,
                    alpha=size.ALPHA,
                    target_power=power,
                    power=power,
                    n_per_group=size.two_proportions(row["rate"], control, power),
                    method="two proportions, normal approximation",
                )


def _filled(common: Mapping[str, Any], **own: Any) -> dict[str, Any]:
    row = PLANNING.row(**{**common, **own}, engine_version=ENGINE_VERSION)
    if row["target_power"] is not None:
        row |= {"dropout": DROPOUT, "n_enrolled": size.with_dropout(row["n_per_group"], DROPOUT)}
    return row
