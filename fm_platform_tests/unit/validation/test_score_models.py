"""Scores computed in SQL equal those of the engine, bit for bit."""

from __future__ import annotations

import random
from pathlib import Path

import duckdb
import polars as pl
import pytest

from fm_platform.catalog.clinical.double_programming import differing_scores, same_in_sql
from fm_platform.catalog.models import models_folder
from fm_platform.instruments.registry import load_instruments
from fm_platform.instruments.scoring import score_answers
from fm_platform.sql.loader import load_models
from fm_platform.study.loading import load_study
from fm_platform.validation.score_models import score_model
from fm_platform.validation.staging_models import staging_models

STUDY = """
study: {id: double, title: Double}
clinical:
  visits:
    path: v.csv
    grain: visit
    columns: {subject: subject, visit: visit, missing_reason: why}
visits: [{id: b, baseline: true}, {id: w}]
instruments:
  - {use: fiqr, source: visits}
  - {use: acr2016, source: visits}
  - {use: own.yaml, source: visits}
"""
OWN = """
id: own
title: Nested totals, a negative minimum, awkward weights
citation: none
items:
  - {id: a, label: a, domain: x, min: -3, max: 3, recall: today}
  - {id: b, label: b, domain: x, min: 1, max: 7, recall: today}
  - {id: c, label: c, domain: x, min: 0, max: 1, recall: today}
scores:
  - {id: part, label: p, rule: sum, domains: x, weight: 5/7, scale: 7, missing: prorate, min_answered: 2/3,
     prorated_scale: 14}
  - {id: least, label: l, rule: sum, items: [a, b], missing: lowest, weight: 3, scale: 4}
  - {id: inner, label: i, rule: total, of: [part, least]}
  - {id: outer, label: o, rule: total, of: [inner, part]}
"""


@pytest.fixture
def study(tmp_path: Path):
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    (tmp_path / "own.yaml").write_text(OWN, encoding="utf-8")
    return load_study(tmp_path)


def both(study, seed: int, n: int = 60) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Random answers with holes, scored by the engine and by SQL."""
    draw = random.Random(seed)
    instruments = load_instruments(study)
    items = {item.id: (item.min, item.max) for one in instruments for item in one.items}
    rows = []
    for number in range(n):
        holes = draw.choice((0, 0.05, 0.3, 0.6, 1))
        answers = {
            item: None if draw.random() < holes else draw.randint(low, high)
            for item, (low, high) in items.items()
        }
        reason = "withdrawn" if number % 9 == 0 else None
        rows.append(
            {
                "subject_id": f"S{number}",
                "visit_id": "b",
                "why": reason,
                **answers,
            }
        )
    wide = pl.DataFrame(rows, schema_overrides={"why": pl.String, **dict.fromkeys(items, pl.Int16)})
    given = wide.filter(pl.col("why").is_null())
    frames = []
    for instrument in instruments:
        long = given.unpivot(
            list(instrument.item_ids), index=["subject_id", "visit_id"], variable_name="item"
        )
        answers = long.rename({"value": "answer"}).drop_nulls("answer")
        frames.append(score_answers(instrument, answers, given))
    generated = score_model(study, instruments)
    models = load_models(models_folder(), [*staging_models(study, instruments), generated])
    model = next(model for model in models if model.name == generated.name)
    connection = duckdb.connect()
    connection.execute("create schema staging")
    connection.register("wide", wide.to_arrow())
    connection.execute("create table staging.visits as select * from wide")
    sql = connection.execute(model.sql).pl()
    return pl.concat(frames), sql


@pytest.mark.parametrize("seed", range(5))
def test_every_score_is_the_same_in_sql(study, seed: int):
    python, sql = both(study, seed)
    assert python.height == sql.height > 0
    assert python["prorated"].any()
    assert 0 < python["value_exact"].null_count() < python.height
    assert differing_scores(python, sql).is_empty()


def test_one_altered_bit_is_found(study):
    python, sql = both(study, 2)
    at = python["value_exact"].is_not_null().arg_max()
    altered = python.with_columns(
        value_exact=pl.when(pl.int_range(pl.len()) == at)
        .then(pl.col("value_exact") + 1)
        .otherwise("value_exact")
    )
    outcome = same_in_sql(altered, sql)
    assert (outcome.passed, outcome.blocking, outcome.metadata["scores_differing"]) == (False, True, 1)
    assert not same_in_sql(python.slice(1), sql).passed
    assert not same_in_sql(python, sql.slice(1)).passed


def test_a_study_without_instruments_has_no_such_model(tmp_path: Path):
    text = STUDY.split("instruments:", maxsplit=1)[0]
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    assert score_model(load_study(tmp_path), ()) is None
