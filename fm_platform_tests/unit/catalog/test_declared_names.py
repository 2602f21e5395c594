from __future__ import annotations

import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from fm_platform.catalog.declared_names import hindered, wrong_names
from fm_platform.catalog.graph import Catalog, build_catalog
from fm_platform.catalog.places import DEFAULT_STUDY

CLINICAL = [
    ("sex: sex", "sex: sexe", "rename|did you mean 'sex'", "raw.participants"),
    ("strata: fm_type", "strata: fmtype", r"study\.yaml:32 \(did you mean 'fm_type'", "raw.participants"),
    (
        "date: visit_date",
        "date: visitdate",
        "rename 'visit_date' to 'visitdate'.*study.yaml:22",
        "raw.visits",
    ),
    ("fiqr_q{n}", "fiq_q{n}", r"21 declared columns.*study\.yaml:39", "raw.visits"),
    ("    dates: ymd", "    units: {vas: {from: mm, to: nrs}}", r"'vas'.*study\.yaml:24", "raw.visits"),
    (
        "\nresponders:",
        "  - {id: t, column: visits.twstrs, range: [6, 85]}\nresponders:",
        r"twstrs.*study\.yaml:50",
        "raw.visits",
    ),
]
EXPRESSION = [
    ("reference: healthy", "reference: helthy", "did you mean 'healthy'", "expression.fit_fm_vs_healthy"),
    ('"~ group"', '"~ group + wek"', "no column 'wek'.*'week'", "expression.fit_fm_vs_healthy"),
    ('{week: "0"}', '{weak: "0"}', "no column 'weak'.*'week'", "expression.fit_fm_vs_healthy"),
    ('{week: "0"}', '{week: "00"}', "no sample has week = '00'.*'0'", "expression.fit_fm_vs_healthy"),
    ("[SYN01, SYN02]", "[SYN1, SYN2]", "subject = 'SYN1'.*'SYN01'", "expression.fit_before_after"),
    (
        "count_id: count_column",
        "count_id: counts_column",
        "did you mean 'count_column'",
        "expression.samples",
    ),
    (
        "  samples: {path",
        "  size_factors: {column: sf}\n  samples: {path",
        "size_factors: .*no column 'sf'",
        "expression.fit_before_after",
    ),
]


def catalog_of(folder: Path, before: str = "", after: str = "") -> Catalog:
    """The demo study with one change of study.yaml."""
    study = folder / "study"
    shutil.copytree(DEFAULT_STUDY, study)
    text = (study / "study.yaml").read_text(encoding="utf-8")
    assert before in text
    (study / "study.yaml").write_text(text.replace(before, after, 1) if before else text, encoding="utf-8")
    return build_catalog(study)


@pytest.mark.parametrize(("before", "after", "said", "table"), [*CLINICAL, *EXPRESSION])
def test_a_wrong_name_is_found_with_its_line_before_anything_runs(
    tmp_path: Path, before: str, after: str, said: str, table: str
) -> None:
    catalog = catalog_of(tmp_path, before, after)
    (found,) = wrong_names(catalog, list(catalog.assets), lambda: None)
    assert table in found.tables
    assert "study.yaml:" in str(found.error)
    assert found.error.exit_code == 2
    assert re.search(said, str(found.error), re.DOTALL), found.error
    out = hindered(catalog, [found])
    assert {"files.report", "publish.warehouse"} <= out
    other = "expression.counts" if table.startswith("raw.") else "stats.symptom_change"
    assert other not in out


def test_both_halves_are_told_of_at_once(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, "sex: sex", "sex: sx")
    text = catalog.study.text.replace("reference: healthy", "reference: well")
    (catalog.study.folder / "study.yaml").write_text(text, encoding="utf-8")
    catalog = build_catalog(catalog.study.folder)
    found = wrong_names(catalog, list(catalog.assets), lambda: None)
    assert [entry.tables[0].split(".")[0] for entry in found] == ["raw", "expression"]


def test_what_is_fresh_is_not_looked_at_and_a_right_study_has_nothing_wrong(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path)
    assert wrong_names(catalog, list(catalog.assets), lambda: None) == []
    (catalog.study.folder / "clinical/visits.csv").write_text("nothing\n", encoding="utf-8")
    assert wrong_names(catalog, ["raw.participants", "files.report"], lambda: None) == []


def test_a_level_that_an_earlier_delivery_had_is_no_wrong_name(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path)
    sheet = catalog.study.folder / "rnaseq/samples.csv"
    sheet.write_text(sheet.read_text(encoding="utf-8").replace("healthy", "control"), encoding="utf-8")
    before = pl.DataFrame(
        {
            "variable": ["group"],
            "level": ["fibromyalgia"],
            "reference": ["healthy"],
            "subset": ["week in (0)"],
        }
    )
    assert wrong_names(catalog, list(catalog.assets), lambda: before) == []
    assert len(wrong_names(catalog, list(catalog.assets), lambda: None)) == 1


def test_a_gap_in_a_sample_of_someone_who_may_have_withdrawn_is_left_to_the_run(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path)
    sheet = catalog.study.folder / "rnaseq/samples.csv"
    rows = sheet.read_text(encoding="utf-8").splitlines()
    rows[-1] = rows[-1].replace(",healthy,", ",,").replace(",fibromyalgia,", ",,")
    sheet.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert '"~ group"' in catalog.study.text
    text = catalog.study.text.replace('    subset: {week: "0"}\n', "")
    (catalog.study.folder / "study.yaml").write_text(text, encoding="utf-8")
    catalog = build_catalog(catalog.study.folder)
    (found,) = wrong_names(catalog, list(catalog.assets), lambda: None)
    assert "'group' is empty for sample" in str(found.error)
    (catalog.study.folder / "gone.csv").write_text("subject,date,scope\n", encoding="utf-8")
    (catalog.study.folder / "study.yaml").write_text("withdrawals: gone.csv\n" + text, encoding="utf-8")
    catalog = build_catalog(catalog.study.folder)
    assert wrong_names(catalog, list(catalog.assets), lambda: None) == []
