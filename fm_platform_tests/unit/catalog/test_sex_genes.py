"""A sheet whose sexes do not fit the reads: the table, its warning, and what the sexes come from."""

from __future__ import annotations

from pathlib import Path

from fm_platform.catalog.graph import build_catalog
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.reader import open_published
from fm_platform_tests.unit.catalog.tiny_study import bring_up_to_date, write_tiny_study

TABLE = "expression.sex_genes"
COUNTS = "gene,s1,s2,s3,s4\nXIST,90,0,80,0\nDDX3Y,0,70,0,60\ng3,900,900,900,900\n"
SHEET = "sample,group,sex\ns1,a,f\ns2,a,m\ns3,b,m\ns4,b,\n"


def test_a_swapped_sample_is_named_and_stops_nothing(tmp_path: Path) -> None:
    study = write_tiny_study(tmp_path / "study")
    (study / "counts.csv").write_text(COUNTS, encoding="utf-8")
    (study / "samples.csv").write_text(SHEET, encoding="utf-8")
    home = Home(tmp_path / "home")
    results = {result.table: result for result in bring_up_to_date(build_catalog(study), home)}
    failed = [check for check in results[TABLE].checks if not check.passed]
    assert [check.description for check in failed] == ["Against the recorded sex: s3."]
    assert results["publish.warehouse"].status == "computed"
    with open_published(home) as published:
        found = published.query(
            f"SELECT sample_id, expressed_sex, recorded_sex, agrees FROM {TABLE} ORDER BY 1"
        )
        inputs = published.query(
            "SELECT input_table, input_column FROM audit.column_lineage "
            f"WHERE table_name = '{TABLE}' AND column_name = 'recorded_sex'"
        )
    assert found.rows() == [
        ("s1", "female", "female", True),
        ("s2", "male", "male", True),
        ("s3", "female", "male", False),
        ("s4", "male", None, None),
    ]
    assert set(inputs.rows()) == {("expression.samples", "sex"), ("expression.samples", "position")}
