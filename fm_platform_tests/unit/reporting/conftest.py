"""A small made-up study, and the frames that the reporting room reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fm_platform.reporting.characteristics import characteristics
from fm_platform.reporting.page import GateLine, HalfState, ReportInput, RunInfo, SourceLine
from fm_platform.reporting.tables import responders_table, symptom_change_table, top_genes
from fm_platform.study.loading import load_study
from fm_platform.study.model import Study

STUDY_YAML = """
study: {{id: paper-figure, title: "A made-up series", synthetic: {synthetic}}}
clinical:
  participants: {{path: p.csv, grain: subject, columns: {{subject: id, sex: sex_at_birth, age: age}}}}
  visits: {{path: v.csv, grain: visit, columns: {{subject: id, visit: visit}}}}
visits:
  - {{id: baseline, label: Baseline, day: 1, baseline: true}}
  - {{id: week_4, label: Week 4, day: 29}}
  - {{id: week_12, label: Week 12, day: 85}}
strata: fm_type
labels: {{sex_at_birth: {{F: Female, M: Male}}, fm_type: {{primary: Primary FM, secondary: Secondary FM}}}}
outcomes:
  - {{id: wpi, column: visits.wpi, range: [0, 19]}}
expression: {{counts: {{path: c.csv}}, samples: {{path: s.csv, id: sample}}}}
contrasts:
  - {{id: fm_vs_healthy, design: "~ group", variable: group, level: fm, reference: healthy, alpha: 0.05}}
"""

OUTCOMES = (
    ("wpi", "Widespread pain index", 19.0, None),
    ("sss", "Symptom severity scale", 12.0, None),
    ("psd", "Fibromyalgianess", 31.0, None),
    ("fiqr_total", "FIQR total", 100.0, "primary"),
    ("pain", "Pain", 10.0, None),
    ("energy", "Energy", 10.0, None),
    ("sleep", "Sleep quality", 10.0, None),
)
IDS = pl.List(pl.String)


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Study]:
    def make(*, synthetic: bool = True, replace: tuple[str, str] = ("", "")) -> Study:
        for name in ("p", "v", "c", "s"):
            (tmp_path / f"{name}.csv").write_text("a\n1\n", encoding="utf-8")
        text = STUDY_YAML.format(synthetic=str(synthetic).lower()).replace(*replace)
        (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
        return load_study(tmp_path)

    return make


@pytest.fixture
def study(make_study: Callable[..., Study]) -> Study:
    return make_study()


@pytest.fixture
def outcomes() -> pl.DataFrame:
    rows = [
        {
            "outcome_id": name,
            "label": label,
            "family": family,
            "better": "lower",
            "range_low": 0.0,
            "range_high": high,
            "position": position,
            "_row_ids": [],
        }
        for position, (name, label, high, family) in enumerate(OUTCOMES, start=1)
    ]
    return pl.DataFrame(rows, schema_overrides={"_row_ids": IDS})


@pytest.fixture
def visits(study: Study) -> pl.DataFrame:
    rows = [
        {"visit_id": visit.id, "label": visit.label, "position": position, "_row_ids": []}
        for position, visit in enumerate(study.visits, start=1)
    ]
    return pl.DataFrame(rows, schema_overrides={"_row_ids": IDS})


def people(count: int = 6, **changes: Any) -> pl.DataFrame:
    """Subjects S1, S2, ...; every third is primary; row ids r1, r2, ..."""
    rows = [
        {
            "subject_id": f"S{number}",
            "sex": "M" if number == 1 else "F",
            "age": 30.0 + number,
            "arm": None,
            "site": None,
            "stratum": "primary" if number % 3 == 1 else "secondary",
            "in_population": True,
            "n_visits": 3,
            "_row_ids": [f"r{number}"],
            **changes,
        }
        for number in range(1, count + 1)
    ]
    schema: dict[str, Any] = {"arm": pl.String, "site": pl.String, "_row_ids": IDS}
    return pl.DataFrame(rows, schema_overrides=schema).with_columns(pl.col("age").cast(pl.Decimal(18, 6)))


def symptom_scores(count: int = 6, *, missing: tuple[tuple[str, str], ...] = ()) -> pl.DataFrame:
    """Every outcome falls by a tenth of its scale a visit; ``missing`` are (subject, visit) pairs."""
    rows = [
        {
            "subject_id": f"S{number}",
            "visit_id": visit,
            "outcome_id": name,
            "value": high * (0.9 - 0.02 * number - step),
        }
        for name, _, high, _ in OUTCOMES
        for number in range(1, count + 1)
        for visit, step in (("baseline", 0.0), ("week_4", 0.1), ("week_12", 0.2))
        if (f"S{number}", visit) not in missing
    ]
    return pl.DataFrame(rows)


def change_stats(**changes: Any) -> pl.DataFrame:
    rows = []
    for name, *_, family in OUTCOMES:
        for visit in ("week_12", "week_4"):
            for stratum, n in ((None, 6), ("primary", 2), ("secondary", 4)):
                floor = 2 / 2**n
                mine = family if stratum is None else None
                rows.append(
                    {
                        "outcome": name,
                        "visit": visit,
                        "stratum": stratum,
                        **{
                            "n": n,
                            "n_missing": 0,
                            "n_zero": 0,
                            "n_eff": n,
                            "improved": n,
                            "unchanged": 0,
                            "worsened": 0,
                        },
                        **{"median_baseline": 61.25, "median_change": -22.25, "hl_estimate": -20.5},
                        "hl_low": -35.2 if n == 6 else None,
                        "hl_high": -8.5 if n == 6 else None,
                        "hl_level": 0.96875 if n == 6 else None,
                        **{"p_value": floor, "p_floor": floor, "rank_biserial": -1.0},
                        "p_holm": 2 * floor if mine else None,
                        "holm_floor": 2 * floor if mine else None,
                        "family": mine,
                        "family_size": 2 if mine else None,
                        "method": "exact conditional signed-rank",
                        "note": None,
                        "engine_version": "1",
                        "_row_ids": ["r1", "r2"],
                        **changes,
                    }
                )
    return pl.DataFrame(rows, schema_overrides={"note": pl.String, "family": pl.String, "_row_ids": IDS})


def responder_stats() -> pl.DataFrame:
    rows = [
        {
            **{
                "responder": "pain30",
                "visit": visit,
                "stratum": None,
                "n": 6,
                "n_missing": 0,
                "responders": count,
            },
            **{
                "rate": count / 6,
                "ci_low": low,
                "ci_high": high,
                "ci_level": 0.95,
                "denominator": "observed cases",
                "n_nri": 6,
                "rate_nri": count / 6,
                "nri_low": low,
                "nri_high": high,
            },
            **{"method": "Clopper-Pearson", "note": None, "engine_version": "1", "_row_ids": ["r1"]},
        }
        for visit, count, low, high in (("week_12", 3, 0.1181, 0.8819), ("week_4", 4, 0.2228, 0.9567))
    ]
    return pl.DataFrame(rows, schema_overrides={"stratum": pl.String, "note": pl.String, "_row_ids": IDS})


def responder_definitions() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "responder_id": ["pain30"],
            "outcome_id": ["pain"],
            "reduction_percent": [30],
            "label": [None],
            "_row_ids": [[]],
        },
        schema_overrides={"_row_ids": IDS},
    )


def de_results(genes: int = 400) -> pl.DataFrame:
    """Eight genes far away, one (g0009) with an extreme change, the last one untested."""
    rng = np.random.default_rng(3)
    change, p = rng.normal(0, 0.4, genes), rng.uniform(0.01, 1, genes)
    change[:8] = [3, -3, 2.5, -2.5, 2, -2, 4, 4.2]
    p[:8] = [10.0**-power for power in range(30, 22, -1)]
    change[9] = 25.0
    padj = np.minimum(1, p * genes / 10)
    return pl.DataFrame(
        {
            "contrast": ["fm_vs_healthy"] * genes,
            "gene_id": [f"g{number:04d}" for number in range(genes)],
            "base_mean": rng.lognormal(4, 1, genes),
            "log2_fold_change": change,
            "lfc_se": np.full(genes, 0.2),
            "pvalue": [*p[:-1].tolist(), None],
            "padj": [*padj[:-1].tolist(), None],
            "na_reason": [*[None] * (genes - 1), "cooks_outlier"],
            "_row_ids": [[f"m{number}"] for number in range(genes)],
        }
    )


def contrasts(**changes: Any) -> pl.DataFrame:
    row = {
        **{
            "contrast": "fm_vs_healthy",
            "label": "group: fm vs healthy",
            "design": "~ group",
            "variable": "group",
        },
        **{
            "level": "fm",
            "reference": "healthy",
            "status": "run",
            "reason": None,
            "n_samples": 10,
            "residual_df": 8,
        },
        **{
            "alpha": 0.05,
            "n_tested": 399,
            "n_significant": 8,
            "n_refits": 10,
            "n_stable": 6,
            "engine": "pydeseq2",
            "engine_version": "0.5.4",
        },
        **{"notes": [], "_row_ids": ["s1", "s2"]},
        **changes,
    }
    return pl.DataFrame([row], schema_overrides={"notes": IDS, "reason": pl.String})


@pytest.fixture
def make_report(study: Study, outcomes: pl.DataFrame, visits: pl.DataFrame) -> Callable[..., ReportInput]:
    def make(**changes: Any) -> ReportInput:
        participants = changes.pop("participants", people())
        how_run = changes.pop("contrasts", contrasts())
        results = de_results()
        used = changes.pop("study", study)
        tables = {
            "marts.participants": participants,
            "marts.symptom_scores": changes.pop("scores", symptom_scores()),
            "study.outcomes": outcomes,
            "report.characteristics": characteristics(participants, used),
            "report.symptom_change": symptom_change_table(change_stats(), outcomes, visits),
            "report.responders": responders_table(
                responder_stats(), responder_definitions(), outcomes, visits
            ),
            "report.top_genes": top_genes(results, how_run),
            "expression.contrasts": how_run,
            "expression.de_results": results,
        }
        fields: dict[str, Any] = {
            "study": used,
            "tables": tables,
            "run": RunInfo("run-7", {"stats.symptom_change": "c0de"}, {"duckdb": "1.5.5"}),
            "head_hash": "9f" * 32,
            "halves": (HalfState("clinical", "2024-05-03"), HalfState("expression", "2024-05-03")),
            "gate": (GateLine("visits", 18, 17, 1, 3),),
            "sources": (SourceLine("visits", "clinical/visits.csv", 1234, "ab" * 32),),
        }
        return ReportInput(**{**fields, **changes})

    return make
