"""Answers in, scores out: the frame around the score language.

Belongs here: from long answers to a matrix and back to one row per visit and score. Does not belong here: the
arithmetic (``rules``), or judging answers: what arrives has passed the gate.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from fm_platform.errors import FmError
from fm_platform.instruments.model import Instrument
from fm_platform.instruments.rules import AnswerMatrix, Scored, score_matrix

KEY = ("subject_id", "visit_id")
SCORE_SCHEMA: dict[str, pl.DataType] = {
    "subject_id": pl.String(),
    "visit_id": pl.String(),
    "instrument": pl.String(),
    "score_id": pl.String(),
    "value_exact": pl.Int64(),
    "value_scale": pl.Int64(),
    "value": pl.Float64(),
    "n_items": pl.Int32(),
    "n_missing": pl.Int32(),
    "prorated": pl.Boolean(),
    "note": pl.String(),
}
"""The columns of ``staging.stg_instrument_scores``; its key is subject_id, visit_id, score_id."""


def score_answers(instrument: Instrument, answers: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    """Score one instrument at every visit at which it was given.

    A visit has a row for each score, with null values and a note where it cannot be scored. Values are whole
    numbers over a scale (``value_exact / value_scale``); ``value`` is for display. The order of the input
    rows does not matter.

    Args:
        instrument: The questionnaire.
        answers: Its answers: subject_id, visit_id, item, answer (integer). No nulls; other columns ignored.
        given: The visits at which its source has a row: subject_id, visit_id.

    Returns:
        One row per visit and score with the columns of ``SCORE_SCHEMA``, sorted by key.

    Raises:
        FmError: Answers that no gate lets through: unknown item, out of range, two answers to one item.
    """
    visits = _visits(answers, given)
    if visits.is_empty():
        return pl.DataFrame(schema=SCORE_SCHEMA)
    placed = _place(instrument, answers, visits)
    matrix = _matrix(instrument, placed, visits.height)
    scores = score_matrix(instrument, matrix)
    return _long(instrument, scores, visits)


def _visits(answers: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    """Every visit once, in key order, numbered."""
    own = given.select(KEY)
    if own.select(KEY).is_duplicated().any():
        raise FmError(
            "a visit stands twice among the visits to score", mend="report this: the gate should forbid it"
        )
    strays = answers.select(KEY).unique().join(own, on=KEY, how="anti")
    if strays.height:
        raise FmError(
            "answers at a visit that is not among the visits to score", mend="report this with the study"
        )
    return own.sort(KEY).with_row_index("_at")


def _place(instrument: Instrument, answers: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """Answers with the matrix position of their visit and item."""
    items = pl.Enum(instrument.item_ids)
    unknown = answers.select(pl.col("item").unique()).filter(~pl.col("item").is_in(list(instrument.item_ids)))
    if unknown.height:
        raise FmError(
            f"answers to items that {instrument.id} does not have: {', '.join(sorted(unknown['item']))}"
        )
    return answers.join(visits.select(*KEY, "_at"), on=KEY).select(
        "_at",
        pl.col("item").cast(items).to_physical().alias("_item"),
        pl.col("answer").cast(pl.Int32),
    )


def _matrix(instrument: Instrument, placed: pl.DataFrame, n_visits: int) -> AnswerMatrix:
    n_items = len(instrument.items)
    at = placed["_at"].to_numpy().astype(np.int64) * n_items + placed["_item"].to_numpy()
    values = np.zeros(n_visits * n_items, dtype=np.int32)
    known = np.zeros(n_visits * n_items, dtype=bool)
    values[at] = placed["answer"].to_numpy()
    known[at] = True
    if int(known.sum()) != placed.height:
        raise FmError(f"two answers to one item of {instrument.id} at one visit")
    table, answered = values.reshape(n_visits, n_items), known.reshape(n_visits, n_items)
    low = np.array([item.min for item in instrument.items], dtype=np.int32)
    high = np.array([item.max for item in instrument.items], dtype=np.int32)
    outside = answered & ((table < low) | (table > high))
    if outside.any():
        names = [item for at, item in enumerate(instrument.item_ids) if outside[:, at].any()]
        raise FmError(f"answers outside the range of {', '.join(names)}")
    return AnswerMatrix(instrument.item_ids, table, answered)


def _long(instrument: Instrument, scores: dict[str, Scored], visits: pl.DataFrame) -> pl.DataFrame:
    """Interleave the scores so that the rows come out in key order."""
    ids = sorted(scores)
    n_visits, n_scores = visits.height, len(ids)
    visit_at = pl.Series(np.repeat(np.arange(n_visits, dtype=np.uint32), n_scores))
    score_at = pl.Series(np.tile(np.arange(n_scores, dtype=np.uint32), n_visits))

    def interleave(field: str) -> np.ndarray:
        return np.stack([getattr(scores[name], field) for name in ids], axis=1).ravel()

    offsets = np.cumsum([0] + [len(scores[name].whys) for name in ids[:-1]])
    notes = pl.Series([why or None for name in ids for why in scores[name].whys], dtype=pl.String)
    note_at = np.stack(
        [scores[name].why + offset for name, offset in zip(ids, offsets, strict=True)], axis=1
    ).ravel()
    return (
        pl.DataFrame(
            {
                "subject_id": visits["subject_id"].gather(visit_at),
                "visit_id": visits["visit_id"].gather(visit_at),
                "instrument": pl.repeat(instrument.id, n_visits * n_scores, eager=True),
                "score_id": pl.Series([f"{instrument.id}.{name}" for name in ids]).gather(score_at),
                "value_exact": interleave("exact"),
                "value_scale": interleave("scale"),
                "_valid": interleave("valid"),
                "n_items": pl.Series([scores[name].n_items for name in ids]).gather(score_at),
                "n_missing": interleave("n_missing"),
                "prorated": interleave("prorated"),
                "note": notes.gather(pl.Series(note_at)),
            }
        )
        .with_columns(pl.when("_valid").then(pl.col("value_exact", "value_scale")))
        .with_columns((pl.col("value_exact") / pl.col("value_scale")).alias("value"))
        .select([pl.col(name).cast(dtype) for name, dtype in SCORE_SCHEMA.items()])
    )
