"""From ``items:`` of study.yaml to columns."""

from __future__ import annotations

import pytest

from fm_platform.errors import InputError
from fm_platform.instruments.mapping import columns_of
from fm_platform.instruments.registry import load_instrument
from fm_platform.study.clinical import InstrumentUse
from fm_platform.study.loading import load_study

FIQR = load_instrument("fiqr")
ACR = load_instrument("acr2016")


def use(items=None, instrument="fiqr"):
    return InstrumentUse(use=instrument, source="visits", items=items)


@pytest.mark.parametrize(
    ("pattern", "first", "last"),
    [
        ("fiqr_q{n}", "fiqr_q1", "fiqr_q21"),
        ("q{n:02}", "q01", "q21"),
        ("bl_{id}", "bl_fiqr_01_comb_hair", "bl_fiqr_21_env_sensitivity"),
    ],
)
def test_a_pattern_numbers_the_items_from_one(pattern, first, last):
    columns = list(columns_of(use(pattern), FIQR).values())
    assert (len(columns), columns[0], columns[-1]) == (21, first, last)


def test_without_items_columns_are_named_like_the_items():
    assert columns_of(use(instrument="acr2016"), ACR) == {item: item for item in ACR.item_ids}


def test_a_map_may_leave_out_an_optional_item_and_no_other():
    items = {item: item for item in ACR.item_ids if item != "duration_3_months"}
    assert columns_of(use(items, "acr2016"), ACR) == items
    with pytest.raises(InputError, match="no column for neck"):
        columns_of(use({item: item for item in items if item != "neck"}, "acr2016"), ACR)


def test_a_map_takes_ids_and_numbers_and_keeps_the_order_of_the_form():
    items = {str(number): f"c{number}" for number in range(21, 1, -1)} | {"fiqr_01_comb_hair": "hair"}
    columns = columns_of(use(items), FIQR)
    assert list(columns) == list(FIQR.item_ids)
    assert columns["fiqr_01_comb_hair"] == "hair"
    assert columns["fiqr_21_env_sensitivity"] == "c21"


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("fiqr", "write {n}"),
        ("fiqr_{m}", "use {n}"),
        ({"fiqr_12_pian": "pain"}, "did you mean 'fiqr_12_pain'"),
        ({"fiqr_12_pain": "pain"}, "no column for fiqr_01_comb_hair"),
        ({"12": "pain", "fiqr_12_pain": "other"}, "mapped twice"),
        ({str(number): "same" for number in range(1, 22)}, "stands for two items"),
    ],
)
def test_a_wrong_mapping_is_refused_with_the_mend(items, message):
    with pytest.raises(InputError) as caught:
        columns_of(use(items), FIQR)
    assert message in str(caught.value)


def test_the_error_names_the_line_of_study_yaml(tmp_path):
    (tmp_path / "study.yaml").write_text(
        "study: {id: s, title: S}\n"
        "clinical:\n"
        "  people: {path: p.csv, grain: subject, columns: {subject: id}}\n"
        "instruments:\n"
        "  - {use: fiqr, source: people, items: {fiqr_12_pian: x}}\n"
    )
    study = load_study(tmp_path)
    with pytest.raises(InputError) as caught:
        columns_of(study.instruments[0], FIQR, study=study)
    assert caught.value.line == 5
