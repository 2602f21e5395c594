"""The site's folder holds the pages of the tables there are, and whatever someone else put there."""

from __future__ import annotations

from hashlib import sha256

import pytest

from fm_platform.catalog.graph import build_catalog
from fm_platform.lineage.verify import verify
from fm_platform.warehouse.files import remove_outdated
from fm_platform.warehouse.home import Home
from fm_platform_tests.unit.catalog.tiny_study import SAMPLES, bring_up_to_date, write_tiny_study


def test_pages_of_a_table_that_is_gone_go_and_files_of_others_stay(tmp_path):
    folder = tmp_path / "study"
    write_tiny_study(folder)
    text = (folder / "study.yaml").read_text(encoding="utf-8")
    (folder / "withdrawals.csv").write_text("subject,date,scope\np9,2024-01-01,exclude\n", encoding="utf-8")
    (folder / "study.yaml").write_text(
        text.replace("schedule:", "withdrawals: withdrawals.csv\nschedule:").replace(
            "id: sample}", "id: sample, subject: subject}"
        ),
        encoding="utf-8",
    )
    (folder / "samples.csv").write_text(
        SAMPLES.replace("remark", "subject").replace("Zq7-patient-Zq7", "p9"), encoding="utf-8"
    )
    home = Home(tmp_path / "home")
    bring_up_to_date(build_catalog(folder), home, "with withdrawals")
    pages = home.path / "site/tables"
    there = {page.stem for page in pages.iterdir()}
    gone = {table for table in there if "withdrawals" in table}
    assert gone
    (pages / "notes.html").write_text("the steward's own", encoding="utf-8")

    (folder / "study.yaml").write_text(text, encoding="utf-8")
    bring_up_to_date(build_catalog(folder), home, "without")
    assert {page.stem for page in pages.iterdir()} == (there - gone) | {"notes"}
    assert not verify(home).problems


@pytest.mark.parametrize(("content", "stays"), [(b"old", False), (b"mine", True), (None, False)])
def test_only_files_with_recorded_bytes_are_removed(tmp_path, content, stays):
    home = Home(tmp_path)
    recorded = {"site/a.html": sha256(b"old").hexdigest(), "site/b.html": sha256(b"new").hexdigest()}
    (tmp_path / "site").mkdir()
    (tmp_path / "site/b.html").write_bytes(b"new")
    if content is not None:
        (tmp_path / "site/a.html").write_bytes(content)
    removed = remove_outdated(home, [recorded], {"site/b.html"})
    assert removed == (["site/a.html"] if content == b"old" else [])
    assert (tmp_path / "site/a.html").exists() == stays
    assert (tmp_path / "site/b.html").exists()
