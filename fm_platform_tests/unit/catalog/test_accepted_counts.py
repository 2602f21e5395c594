"""Counts that look like sums of base coverage: refused by sample, and labelled wherever they are shown if accepted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fm_platform.catalog.graph import build_catalog
from fm_platform.errors import InputError
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.reader import open_published
from fm_platform_tests.unit.catalog.tiny_study import STUDY, bring_up_to_date, write_tiny_study

CONTRAST = """\
contrasts:
  - {id: c, design: "~ group", variable: group, level: b, reference: a}
"""
SAMPLES = [f"s{at}" for at in range(1, 7)]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = write_tiny_study(tmp_path / "study")
    counts = np.random.default_rng(8).negative_binomial(4, 0.004, size=(40, 6)) * [1, 100_000, 1, 1, 1, 1]
    rows = [f"g{at},{','.join(map(str, row))}" for at, row in enumerate(counts.tolist())]
    (folder / "counts.csv").write_text("\n".join([",".join(["gene", *SAMPLES]), *rows]) + "\n")
    sheet = [f"{name},{'ab'[at > 2]}" for at, name in enumerate(SAMPLES)]
    (folder / "samples.csv").write_text("\n".join(["sample,group", *sheet]) + "\n")
    (folder / "study.yaml").write_text(STUDY + CONTRAST)
    return folder


def test_coverage_is_refused_with_its_sample(study: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"counts\.csv: 1 of 6 samples .* not counts: s2\. Mend: .*accept: \[base-cov"
    ):
        bring_up_to_date(build_catalog(study), Home(tmp_path / "home"))


def test_accepted_coverage_is_labelled_in_results_tables_and_report(study: Path, tmp_path: Path) -> None:
    accepted = STUDY.replace("  samples:", "  accept: [base-coverage]\n  samples:")
    (study / "study.yaml").write_text(accepted + CONTRAST)
    home = Home(tmp_path / "home")
    bring_up_to_date(build_catalog(study), home)
    label = "samples that look like sums of base coverage, accepted as counts: s2"
    with open_published(home) as published:
        assert label in published.query("SELECT notes FROM expression.contrasts")["notes"][0]
        notes = published.query("SELECT DISTINCT note FROM expression.input_notes")["note"].to_list()
    assert [note.endswith("s2; accepted as counts") for note in notes] == [True]
    page = (home.reports / "report.html").read_text()
    assert page.count(label[1:]) == 3  # the table of contrasts, the figure, the leading genes
