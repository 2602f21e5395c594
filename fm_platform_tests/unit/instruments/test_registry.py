"""Finding, reading and refusing instrument files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from fm_platform.errors import InputError
from fm_platform.instruments.registry import library_ids, load_instrument, load_instruments
from fm_platform.study.loading import load_study

PAIN_NRS = """\
id: pain_nrs
title: Pain, 0 to 10
citation: none
items:
  - {id: worst, label: Worst pain, domain: pain, min: 0, max: 10, recall: past 24 hours}
  - {id: least, label: Least pain, domain: pain, min: 0, max: 10, recall: past 24 hours}
scores:
  - {id: mean, label: Mean pain, rule: sum, domains: [pain], weight: 1/2, scale: 2}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "own.yaml"
    path.write_text(text)
    return path


def test_library_ships_fiqr_and_acr2016():
    assert {"fiqr", "acr2016"} <= set(library_ids())


@pytest.mark.parametrize("use", library_ids())
def test_library_file_loads_and_its_digest_is_stable(use):
    instrument = load_instrument(use)
    assert instrument.id == use
    assert instrument.digest() == load_instrument(use).digest()


def test_fiqr_has_21_items_in_three_domains():
    fiqr = load_instrument("fiqr")
    sizes = {domain: sum(item.domain == domain for item in fiqr.items) for domain in fiqr.domains}
    assert sizes == {"function": 9, "overall": 2, "symptoms": 10}
    assert all((item.min, item.max, item.recall_days) == (0, 10, 7) for item in fiqr.items)


def test_fiqr_ranges_are_the_published_ones():
    fiqr = load_instrument("fiqr")
    ranges = {
        score: fiqr.range_of(score)
        for score in ("fiqr.function", "fiqr.overall", "fiqr.symptoms", "fiqr.total")
    }
    assert ranges == {
        "fiqr.function": (0, 30),
        "fiqr.overall": (0, 20),
        "fiqr.symptoms": (0, 50),
        "fiqr.total": (0, 100),
    }


def test_acr_counts_19_areas_of_which_15_decide_regions():
    acr = load_instrument("acr2016")
    areas = set(acr.items_of(acr.score("wpi")))
    regional = set(acr.items_of(acr.score("n_regions")))
    assert len(areas) == 19
    assert areas - regional == {"jaw_l", "jaw_r", "chest", "abdomen"}


def test_somatic_items_look_back_six_months_and_severity_items_one_week():
    acr = load_instrument("acr2016")
    days = {item.recall_days for item in acr.items if item.domain == "somatic"}
    assert days == {180}
    assert {acr.item(item).recall_days for item in acr.items_of(acr.score("sss_severity"))} == {7}


def test_a_new_questionnaire_is_a_file(tmp_path):
    write(tmp_path, PAIN_NRS)
    instrument = load_instrument("own.yaml", tmp_path)
    assert instrument.score_ids == ("pain_nrs.mean",)
    assert instrument.range_of("pain_nrs.mean") == (Fraction(0), Fraction(10))


def test_comments_do_not_change_the_digest_but_a_range_does(tmp_path):
    write(tmp_path, PAIN_NRS)
    before = load_instrument("own.yaml", tmp_path).digest()
    write(tmp_path, "# a remark\n" + PAIN_NRS)
    assert load_instrument("own.yaml", tmp_path).digest() == before
    write(tmp_path, PAIN_NRS.replace("max: 10", "max: 11", 1))
    assert load_instrument("own.yaml", tmp_path).digest() != before


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("min: 0, max: 10", "min: 10, max: 10", 5, "min must be less than max"),
        ("domains: [pain]", "domains: [pian]", 8, "did you mean 'pain'"),
        (
            "rule: sum, domains: [pain], weight: 1/2, scale: 2",
            "rule: item, item: wosrt",
            8,
            "did you mean 'worst'",
        ),
        ("scale: 2", "scale: 3", 8, "use a multiple of 2"),
        ("id: least", "id: worst", 5, "appears twice"),
        ("recall: past 24 hours", "recall: past 24 hours, recal: x", 5, "did you mean 'recall'"),
        ("rule: sum", "rule: groups", 8, "does not take"),
        ("weight: 1/2", "weight: half", 8, "a fraction such as 1/3"),
        (
            "scale: 2",
            "scale: 2, missing: prorate, min_answered: 1/2, prorated_scale: 5",
            8,
            "not whole numbers over 5",
        ),
        (
            "rule: sum, domains: [pain], weight: 1/2, scale: 2",
            "rule: total, of: [sum]",
            8,
            "no score named 'sum'",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_mend(tmp_path, old, new, line, message):
    write(tmp_path, PAIN_NRS.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load_instrument("own.yaml", tmp_path)
    assert message in str(caught.value)
    assert caught.value.line == line
    assert caught.value.mend


def test_a_score_may_not_rest_on_an_optional_item(tmp_path):
    write(tmp_path, PAIN_NRS.replace("recall: past 24 hours}", "recall: past 24 hours, optional: true}", 1))
    with pytest.raises(InputError, match="uses the optional item worst"):
        load_instrument("own.yaml", tmp_path)


def test_bands_must_reach_the_top_of_the_score(tmp_path):
    write(
        tmp_path,
        PAIN_NRS + "bands:\n  - {scheme: own, score: mean, citation: x, bands: [{label: low, upper: 4}]}\n",
    )
    with pytest.raises(InputError, match="let it end at 10"):
        load_instrument("own.yaml", tmp_path)


def test_an_unknown_library_id_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'fiqr'"):
        load_instrument("fiqrr")


def test_a_path_outside_the_study_folder_is_refused(tmp_path):
    write(tmp_path, PAIN_NRS)
    study = tmp_path / "study"
    study.mkdir()
    with pytest.raises(InputError, match="outside the study folder"):
        load_instrument("../own.yaml", study)


STUDY = """\
study: {id: tiny, title: Tiny}
clinical:
  visits:
    path: visits.csv
    grain: visit
    columns: {subject: id, visit: visit}
visits:
  - {id: baseline, baseline: true}
  - {id: week_4}
instruments:
  - {use: fiqr, source: visits, items: "fiqr_q{n}"}
outcomes:
  - {id: pain, score: fiqr.pain}
"""


def load_tiny(tmp_path: Path, text: str) -> tuple[object, ...]:
    (tmp_path / "study.yaml").write_text(text)
    return load_instruments(load_study(tmp_path))


def test_instruments_of_a_study(tmp_path):
    assert [instrument.id for instrument in load_tiny(tmp_path, STUDY)] == ["fiqr"]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("use: fiqr", "use: fiq", 11, "did you mean 'fiqr'"),
        ("use: fiqr", "use: own.yaml", 11, "does not exist"),
        ("score: fiqr.pain", "score: fiqr.pian", 13, "did you mean 'fiqr.pain'"),
        ("outcomes:", "  - {use: fiqr, source: visits}\noutcomes:", 12, "used twice"),
    ],
)
def test_a_wrong_use_points_at_study_yaml(tmp_path, old, new, line, message):
    with pytest.raises(InputError) as caught:
        load_tiny(tmp_path, STUDY.replace(old, new, 1))
    assert message in str(caught.value)
    assert (Path(str(caught.value.file)).name, caught.value.line) == ("study.yaml", line)
