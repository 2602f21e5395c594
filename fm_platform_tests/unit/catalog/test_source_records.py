"""``SRCDOM``, ``SRCVAR`` and ``SRCSEQ`` of ``marts.adqs``, followed: one record each, and it holds the value."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import polars as pl
import pytest

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.session import open_session
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.names import identifier, relation

DEMO = Path(__file__).resolve().parents[3] / "data" / "demo"
WALK = "  - {id: walk, label: Walk, column: visits.walk_m, range: [0, 900], better: higher}\n"
LEFT_OUT = ("SYN02", "week_12")
UNPLANNED = ("SYN03", "week_4")
MADE = ("study.", "raw.", "quarantine.", "staging.", "marts.adqs")


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """The demo with a walking distance, one visit left out and one outside the plan."""
    folder = tmp_path / "study"
    shutil.copytree(DEMO / "clinical", folder / "clinical")
    text = (DEMO / "study.yaml").read_text(encoding="utf-8")
    text = text[: text.index("expression:")].replace(
        "\nresponders:", f"{WALK}\nunscheduled: [extra]\nresponders:"
    )
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    visits = folder / "clinical" / "visits.csv"
    rows = list(csv.DictReader(visits.open(newline="", encoding="utf-8")))
    with visits.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, [*rows[0], "walk_m"], lineterminator="\n")
        writer.writeheader()
        for number, row in enumerate(rows):
            key = (row["subject_id"], row["visit"])
            visit = "extra" if key == UNPLANNED else row["visit"]
            if key != LEFT_OUT:
                writer.writerow({**row, "visit": visit, "walk_m": f"{300 + number}.5"})
    return folder


def test_every_value_is_in_the_one_record_that_it_names(demo: Path, tmp_path: Path) -> None:
    catalog = build_catalog(demo)
    with open_session(catalog, Home(tmp_path / "home"), "run") as session:
        for table in session.plan().stale:
            if table.startswith(MADE):
                assert not session.materialize(table).failed_blocking, table
        adqs = session.warehouse.read("marts.adqs")
        records = {
            (domain, variable): session.warehouse.query(
                f"SELECT subject_id AS USUBJID, seq AS SRCSEQ, {identifier(variable)} AS found "
                f"FROM {relation(domain)} WHERE seq IS NOT NULL"
            )
            for domain, variable in adqs.select("SRCDOM", "SRCVAR").unique().iter_rows()
        }
        unplanned = session.warehouse.query(
            f"SELECT DISTINCT visit_id, seq FROM {relation('staging.stg_measures')} WHERE visit_id = 'extra'"
        )
    assert unplanned.rows() == [("extra", None)]
    assert set(records) == {("staging.stg_instrument_scores", "value"), ("staging.stg_measures", "value")}
    followed = 0
    for (domain, _), found in records.items():
        assert found.select("USUBJID", "SRCSEQ").is_unique().all(), domain
        own = adqs.filter(pl.col("SRCDOM") == domain).join(found, on=["USUBJID", "SRCSEQ"], how="inner")
        assert own["AVAL"].to_list() == own["found"].cast(pl.Float64).to_list()
        followed += own.height
    assert followed == adqs.height
    carried = adqs.filter((pl.col("DTYPE") == "LOCF") & (pl.col("PARAMCD") == "WALK"))
    before = adqs.filter(
        (pl.col("USUBJID") == "SYN02") & (pl.col("AVISIT") == "Week 4") & (pl.col("PARAMCD") == "WALK")
    )
    assert carried.filter(pl.col("USUBJID") == "SYN02")["SRCSEQ"].to_list() == before["SRCSEQ"].to_list()
