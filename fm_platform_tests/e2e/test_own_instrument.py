"""A questionnaire that a study brings along is a file in its folder, not code."""

from __future__ import annotations

import shutil
from pathlib import Path

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.session import open_session
from fm_platform.warehouse.home import Home

TWSTRS = """
id: twstrs
title: Toronto Western Spasmodic Torticollis Rating Scale, total as recorded
citation: Consky E, Basinski A, Belle L, Ranawaya R, Lang AE. Neurology 1990;40(suppl 1):445.
items:
  - {id: recorded_total, label: TWSTRS total, domain: total, min: 0, max: 85, recall: at the visit, recall_days: 1}
scores:
  - {id: total, label: "TWSTRS total (0-85)", rule: item, item: recorded_total}
"""
STUDY = """
study: {id: cdystonia, title: Botulinum toxin type B in cervical dystonia}
clinical:
  visits:
    path: cdystonia.csv
    grain: visit
    columns: {subject: [site, id], visit: week, arm: treat, site: site, sex: sex, age: age}
visits:
  - {id: week_0, values: "0", baseline: true}
  - {id: week_2, values: "2"}
  - {id: week_4, values: "4"}
  - {id: week_8, values: "8"}
  - {id: week_12, values: "12"}
  - {id: week_16, values: "16"}
instruments:
  - {use: twstrs.yaml, source: visits, items: {recorded_total: twstrs}}
outcomes:
  - {id: twstrs, score: twstrs.total, family: primary, better: lower}
"""


def test_cdystonia_is_analysed_with_a_twstrs_file_and_no_code(shared_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    shutil.copy(shared_data / "medicaldata" / "cdystonia.csv", folder)
    (folder / "study.yaml").write_text(STUDY)
    (folder / "twstrs.yaml").write_text(TWSTRS)
    catalog = build_catalog(folder)
    with open_session(catalog, Home(tmp_path / "home"), "run") as session:
        for asset in catalog.in_order():
            if asset.half == "clinical" and not asset.table.startswith("report."):
                assert not session.materialize(asset.table).failed_blocking
        subjects = session.warehouse.query("select count(*) as n from fm.staging.stg_subjects")
        refused = session.warehouse.query("select count(*) as n from fm.quarantine.visits")
        change = session.warehouse.query(
            "select visit, n, n_missing from fm.stats.symptom_change where stratum is null order by visit"
        )
    assert (subjects["n"][0], refused["n"][0]) == (109, 0)
    assert all(row["n"] + row["n_missing"] == 109 for row in change.to_dicts())
    assert {row["visit"]: row["n"] for row in change.to_dicts()}["week_2"] == 103
