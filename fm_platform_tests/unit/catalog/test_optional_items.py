"""An item that a study may not have collected: its raw column is there either way, and verdicts follow the data."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import polars as pl
import pytest

from fm_platform.catalog.delivered import with_optional_items
from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.session import open_session
from fm_platform.warehouse.home import Home

DEMO = Path(__file__).resolve().parents[3] / "data" / "demo"
DURATION = "duration_3_months"


def tables(folder: Path, home: Path, *names: str) -> list[pl.DataFrame]:
    """Tables of a study, made without its expression half."""
    text = (folder / "study.yaml").read_text(encoding="utf-8")
    (folder / "study.yaml").write_text(text[: text.index("expression:")], encoding="utf-8")
    catalog = build_catalog(folder)
    with open_session(catalog, Home(home), "run") as session:
        upstream = [*session.plan().stale]
        wanted = ("study.", "raw.", "quarantine.", "staging.", "marts.criteria", "report.completeness")
        for table in upstream:
            if table.startswith(wanted):
                assert not session.materialize(table).failed_blocking
        return [session.warehouse.read(name) for name in names]


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    shutil.copytree(DEMO / "clinical", tmp_path / "study" / "clinical")
    shutil.copy(DEMO / "study.yaml", tmp_path / "study")
    return tmp_path / "study"


def without_column(path: Path, column: str) -> None:
    rows = list(csv.DictReader(path.open(newline="", encoding="utf-8")))
    names = [name for name in rows[0] if name != column]
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def test_a_delivery_without_the_item_leaves_open_what_only_the_item_could_decide(demo, tmp_path):
    without_column(demo / "clinical" / "visits.csv", DURATION)
    raw, quarantined, answers, criteria, completeness = tables(
        demo,
        tmp_path / "home",
        "raw.visits",
        "quarantine.visits",
        "staging.stg_answers",
        "marts.criteria",
        "report.completeness",
    )
    assert set(raw[DURATION]) == {""}
    assert quarantined.is_empty()
    assert DURATION not in set(answers["item"]) | set(completeness["item"])
    assert criteria["three_months"].null_count() == criteria.height > 0
    assert set(criteria["verdict"]) == {"indeterminate", "not_met"}
    open_ones = criteria.filter(pl.col("verdict") == "indeterminate")
    assert set(open_ones["undecided_by"]) == {"duration"}


def test_a_column_that_was_delivered_is_left_as_it_is():
    rows = pl.DataFrame({"_row_id": ["a", "b"], "x": ["1", ""]})
    assert with_optional_items(rows, ("x",)).equals(rows)
    assert with_optional_items(rows, ("x", "y"))["y"].to_list() == ["", ""]
    assert with_optional_items(rows.clear(), ("y",)).columns == ["_row_id", "x", "y"]
