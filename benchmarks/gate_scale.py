"""Times the gate on item-level data and prints its ratio to bare Great Expectations on pandas.

    python benchmarks/gate_scale.py [--patients 100000] [--visits 3]

The same FIQR answers, with one wrong cell in a thousand, are judged twice: by the gate (every rule in DuckDB, row
ids of all findings, confirmed by Great Expectations) and by Great Expectations alone, one set of values an item,
with SUMMARY results. Then the accepted answers are scored and one outcome is tested.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from fm_platform.instruments.registry import load_instruments
from fm_platform.instruments.rules import AnswerMatrix, score_matrix
from fm_platform.statistics.signed_rank import signed_rank
from fm_platform.study.loading import load_study
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.expectations import expectations_of
from fm_platform.validation.gate import gate
from fm_platform.validation.gx_suite import count_unexpected
from fm_platform.warehouse.names import relation

STUDY = """\
study: {id: scale, title: Scale, synthetic: true}
clinical:
  visits: {path: visits.csv, grain: visit, columns: {subject: subject_id, visit: visit}, missing: ["", NA]}
visits: [%s]
instruments: [{use: fiqr, source: visits, items: "fiqr_q{n}"}]
outcomes: [{id: fiqr, score: fiqr.total}]
gate: {max_set_aside: 0.5}
"""
ITEMS = [f"fiqr_q{n}" for n in range(1, 22)]
TESTED = 1000


@contextmanager
def timed(what: str, found: dict[str, float]) -> Iterator[None]:
    """Print and keep how long a block took."""
    begun = time.perf_counter()
    yield
    found[what] = time.perf_counter() - begun
    print(f"{what:<40} {found[what]:8.2f} s")


def deliver(patients: int, visits: int) -> pl.DataFrame:
    """Answers as text, one cell in a thousand out of range."""
    rng = np.random.default_rng(7)
    rows = patients * visits
    answers = rng.integers(0, 11, (rows, len(ITEMS)))
    answers[rng.random(answers.shape) < 0.001] = 60
    keys = {
        "_row_id": [f"{row:032x}" for row in range(rows)],
        "subject_id": [f"P{row // visits:06d}" for row in range(rows)],
        "visit": [f"v{row % visits}" for row in range(rows)],
    }
    return pl.DataFrame({**keys, **{name: answers[:, at].astype(str) for at, name in enumerate(ITEMS)}})


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--visits", type=int, default=3)
    options = parser.parse_args()
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        visits = ", ".join(
            f"{{id: v{n}{', baseline: true' if n == 0 else ''}}}" for n in range(options.visits)
        )
        (folder / "study.yaml").write_text(STUDY % visits)
        study = load_study(folder)
        instruments = load_instruments(study)
    frame = deliver(options.patients, options.visits)
    print(f"{frame.height:,} rows, {frame.height * len(ITEMS):,} answers")
    con = duckdb.connect()
    con.execute("attach ':memory:' as fm; create schema fm.raw")
    con.register("incoming", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    con.execute(f"create table {relation('raw.visits')} as select * from incoming")
    import great_expectations  # noqa: F401 - its import is not what is measured

    with timed("gate: rules, findings, confirmation", found):
        result = gate(con, relation, study, instruments, "visits")
    with timed("bare Great Expectations on pandas", found):
        pandas = frame.select(pl.col(ITEMS).cast(pl.Int64)).to_pandas()
        suite = [
            e for e in expectations_of(study, declared_columns(study, instruments), "visits") if e.column
        ]
        counted = count_unexpected(suite, pandas, name="bare")
    assert sum(answer.unexpected for answer in counted) == result.findings.height
    with timed("scores of every visit", found):
        values = frame.select(pl.col(ITEMS).cast(pl.Int32)).to_numpy()
        known = values <= 10
        answers = AnswerMatrix(instruments[0].item_ids, np.where(known, values, 0), known)
        total = score_matrix(instruments[0], answers)["total"]
    exact = (total.exact * (15120 // total.scale)).reshape(options.patients, options.visits)
    change = [int(value) for value in (exact[:TESTED, 1] - exact[:TESTED, 0])]
    with timed(f"exact signed-rank of {len(change)} changes", found):
        p_value = signed_rank(change).p_value
    gate_time, bare = found["gate: rules, findings, confirmation"], found["bare Great Expectations on pandas"]
    print(f"findings {result.findings.height:,}; p = {float(p_value):.4f}")
    print(f"ratio of the gate to bare Great Expectations: {gate_time / bare:.2f}")


if __name__ == "__main__":
    main()
