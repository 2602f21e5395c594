"""Exports judged together: what a second export would tell of people whom the first one hid."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fm_platform.catalog.disclosure.regulators import export_ars
from fm_platform.catalog.disclosure.releases import WIDTHS, Release, release
from fm_platform.catalog.graph import build_catalog
from fm_platform.errors import CheckFailed, InputError
from fm_platform.lineage.exports import read_exports
from fm_platform.lineage.verify import verify
from fm_platform.privacy.k_anonymity import BANDINGS
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.publish import snapshot_name
from fm_platform_tests.unit.catalog.tiny_study import bring_up_to_date
from fm_platform_tests.unit.catalog.twelve_people import PEOPLE, STUDY, deliver, write_twelve_people

COUNTS = "report.characteristics"


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of twelve people and its home, published once. Tests must not change it."""
    folder = tmp_path_factory.mktemp("twelve")
    bring_up_to_date(build_catalog(write_twelve_people(folder / "study")), Home(folder / "home"))
    return folder


@pytest.fixture(scope="module")
def thirteen(twelve: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, published again with one man more."""
    folder = tmp_path_factory.mktemp("thirteen") / "copy"
    shutil.copytree(twelve, folder)
    deliver(folder / "study", [*PEOPLE, ("T12", "m", 48)])
    bring_up_to_date(build_catalog(folder / "study"), Home(folder / "home"), "later")
    return folder


class Steward:
    """Somebody who exports from one home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "home")

    def declare(self, privacy: str) -> None:
        text = STUDY.replace("privacy: {quasi_identifiers: [age, sex]}", privacy)
        (self.folder / "study" / "study.yaml").write_text(text, encoding="utf-8")

    def export(
        self,
        *tables: str,
        band: str | None = None,
        without: Sequence[str] = (),
        suppress: bool = False,
        reason: str | None = None,
    ) -> Release:
        return release(
            build_catalog(self.folder / "study"),
            self.home,
            tables,
            self.folder / "out",
            banding=WIDTHS[band] if band else BANDINGS[0],
            without=without,
            suppress=suppress,
            reason=reason,
        )

    def read(self, table: str) -> list[dict[str, str]]:
        with (self.folder / "out" / f"{table}.csv").open(newline="", encoding="utf-8") as handle:
            return list(csv.DictReader(handle))


@pytest.fixture
def steward(twelve: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steward:
    monkeypatch.setenv("FM_PSEUDONYM_KEY", "a key of the tests, long enough")
    shutil.copytree(twelve, tmp_path / "copy")
    return Steward(tmp_path / "copy")


@pytest.fixture
def later(thirteen: Path, tmp_path: Path) -> Steward:
    """A steward who sees the second publication, before which nothing left."""
    shutil.copytree(thirteen, tmp_path / "later")
    return Steward(tmp_path / "later")


def test_ages_now_and_sexes_later_are_judged_as_one_table(steward):
    """In bands of ten 6 and 6 people, of each sex 6; together two classes of four and two of two."""
    assert steward.export("marts.adsl", band="10", without=["SEX"]).judgement.k_achieved == 6
    with pytest.raises(
        CheckFailed, match="age, sex: the smallest class has 2, and 3 are asked for"
    ) as refused:
        steward.export("marts.adsl", without=["AGE"])
    assert "--reason" in str(refused.value)
    assert len(read_exports(steward.home)) == 1
    accepted = steward.export("marts.adsl", without=["AGE"], reason="the ethics board agreed")
    assert len(accepted.accepted) == 1
    record = read_exports(steward.home)[-1]
    assert (record.reason, record.body["accepted"]) == ("the ethics board agreed", list(accepted.accepted))
    assert steward.export("marts.adsl", without=["AGE"]).accepted == (), "it has left already"
    assert verify(steward.home).consistent


def test_an_export_that_tells_no_more_than_the_one_before_passes(steward):
    steward.export("marts.adsl", band="10", without=["SEX"])
    assert steward.export("marts.adsl", band="10", without=["SEX"]).accepted == ()
    assert steward.export("marts.adsl", band="20", without=["SEX"]).accepted == ()
    assert steward.export("report.symptom_change").accepted == ()


def test_an_earlier_export_s_larger_k_holds_for_what_is_joined_with_it(steward):
    steward.declare("privacy: {quasi_identifiers: [age, sex], k: 6}")
    steward.export("marts.adsl", band="20", without=["SEX"])
    steward.declare("privacy: {quasi_identifiers: [age, sex], k: 3}")
    with pytest.raises(CheckFailed, match="smallest class has 3, and 6 are asked for"):
        steward.export("marts.adsl", band="5", without=["SEX"])


def test_a_suppressed_variable_stays_hidden_when_k_is_lowered(steward):
    steward.declare("privacy: {quasi_identifiers: [age, sex], k: 7}")
    steward.export(COUNTS, suppress=True)
    assert "sex" not in {row["variable"] for row in steward.read(COUNTS)}
    steward.declare("privacy: {quasi_identifiers: [age, sex], k: 3}")
    for table in (COUNTS, "stats.ard"):
        with pytest.raises(CheckFailed, match=f"{table} shows .*sex, which an earlier export suppressed"):
            steward.export(table)
    steward.export(COUNTS, suppress=True)
    assert "sex" not in {row["variable"] for row in steward.read(COUNTS)}
    steward.export(COUNTS, reason="k was agreed anew")
    assert "sex" in {row["variable"] for row in steward.read(COUNTS)}
    assert read_exports(steward.home)[-1].body["revealed"] == ["sex"]
    assert steward.export("stats.ard").accepted == (), "sex has left with a reason"


def test_a_suppressed_variable_stays_hidden_when_it_is_no_longer_declared(steward):
    steward.declare("privacy: {quasi_identifiers: [age, sex], k: 7}")
    steward.export(COUNTS, suppress=True)
    steward.declare("")
    with pytest.raises(CheckFailed, match="sex, which an earlier export suppressed"):
        steward.export(COUNTS)


def test_a_reporting_event_is_judged_and_remembered_as_the_table_of_results(steward):
    """Six people of each sex are fewer than seven; what is left out is said, and stays hidden."""
    out = steward.folder / "ars.json"

    def reporting_event(**options: bool) -> dict[str, Any]:
        export_ars(build_catalog(steward.folder / "study"), steward.home, out, **options)
        return json.loads(out.read_text(encoding="utf-8"))

    steward.declare("privacy: {quasi_identifiers: [age, sex], k: 7}")
    with pytest.raises(CheckFailed, match=r"stats.ard counts fewer people than may be told apart, by .*sex"):
        reporting_event()
    assert not out.exists()
    event = reporting_event(suppress=True)
    described = {a["id"] for a in event["analyses"] if a["id"].startswith("AN.characteristics/")}
    assert described == {"AN.characteristics/n/-", "AN.characteristics/age/-"}
    assert "sex" in event["description"].partition("Left out")[2]
    steward.declare("privacy: {quasi_identifiers: [age, sex], k: 3}")
    with pytest.raises(CheckFailed, match="sex, which an earlier export suppressed"):
        steward.export("stats.ard")
    with pytest.raises(CheckFailed, match="sex, which an earlier export suppressed"):
        reporting_event()


def test_one_man_more_is_told_by_the_difference_of_two_publications(steward, later):
    """The counts of both publications are above k; their difference is one person."""
    steward.export(COUNTS)
    shutil.copytree(later.home.path.parent / "study", steward.folder / "study", dirs_exist_ok=True)
    bring_up_to_date(build_catalog(steward.folder / "study"), steward.home, "later")
    with pytest.raises(CheckFailed, match="left from publication 1, and counts since, by age, sex, fewer"):
        steward.export(COUNTS)
    steward.export(COUNTS, suppress=True)
    assert not {"age", "sex"} & {row["variable"] for row in steward.read(COUNTS)}
    (steward.home.path / snapshot_name(1)).unlink()
    with pytest.raises(CheckFailed, match=r"publication 1, .*cannot be compared"):
        steward.export(COUNTS)


def test_without_an_earlier_export_a_later_publication_leaves_as_it_is(later):
    assert later.export(COUNTS).accepted == ()
    assert {"age", "sex"} <= {row["variable"] for row in later.read(COUNTS)}


def test_the_combinations_of_quasi_identifiers_stay_in_the_home(steward):
    with pytest.raises(InputError, match="does not leave the home"):
        steward.export("privacy.equivalence_classes")


def test_the_records_hold_no_value_of_a_person(steward):
    steward.export("marts.adsl", band="20", without=["SEX"])
    steward.export(COUNTS)
    for export in read_exports(steward.home):
        text = str(export.body)
        assert "T0" not in text
        assert "P-" not in text
        assert not {"42", "'f'", "'m'"} & set(text.replace(",", " ").replace("}", " ").split())
