"""REDCap's rules E, F and H on a tiny longitudinal project: each finds its case and claims nothing it cannot know."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from fm_platform.catalog.clinical.redcap_quality import forms_of
from fm_platform.catalog.graph import build_catalog
from fm_platform.sources.redcap.export import read_form
from fm_platform.sources.redcap.forms import dictionary_of, expand_redcap, structure_of
from fm_platform.study.loading import load_study
from fm_platform.validation.redcap_cells import exports_of
from fm_platform.validation.redcap_rules import LEAST_VALUES, Judged, judge, queries_of

KEYS = (
    "field_name,form_name,field_type,field_label,select_choices_or_calculations,"
    "text_validation_type_or_show_slider_number,identifier,branching_logic\n"
)
FIELDS = """\
rid,start,text,ID,,,,
sex,start,radio,Sex,"0, F | 1, M",,,
phone,start,text,Phone,,,y,
weight,visit,text,kg,,number_comma_decimal,,
height,visit,text,m,,number,,
bmi,visit,calc,BMI,"round([weight]/([height]^2), 1)",,,
score,visit,calc,Score,stdev([weight]),,,
pregnant,visit,yesno,Pregnant,,,,[base_arm_1][sex] = '0'
symptoms,visit,checkbox,Symptoms,"1, a | 2, b",,,[pregnant] = '1'
remark,visit,notes,Remark,,,,[symptoms(1)] = '1'
twin,visit,text,Twin,,,,[nowhere] = '1'
odd,visit,text,Odd,,,,[weight] >
"""
HEADER = (
    "rid,redcap_event_name,sex,phone,start_complete,weight,height,bmi,score,pregnant,symptoms___1,symptoms___2,"
    "remark,twin,odd,visit_complete\n"
)
STUDY = """
study: {id: s, title: S}
clinical:
  export: {path: data.csv, format: redcap, dictionary: dictionary.csv, subject_forms: [start],
           columns: {visit: redcap_event_name}, missing: ["", "-99"]}
visits: [{id: base, baseline: true, values: [base_arm_1]}, {id: week, values: [week_arm_1]}]
"""


def write(folder: Path, rows: str, fields: str = FIELDS) -> Path:
    (folder / "study.yaml").write_text(STUDY)
    (folder / "dictionary.csv").write_text(KEYS + fields)
    (folder / "data.csv").write_text(HEADER + rows)
    return folder


def judged(folder: Path) -> dict[tuple[str, str], Judged]:
    study = expand_redcap(load_study(folder))
    forms = forms_of(study)

    def read(table: str) -> pl.DataFrame:
        source = forms[table.removeprefix("raw.")]
        dictionary = dictionary_of(study, source, source.form)
        path = folder / "data.csv"
        structure = structure_of(source)
        return read_form(
            source.form, source.form, path, name="data.csv", dictionary=dictionary, structure=structure
        ).table.frame

    (export,) = exports_of(forms, read)
    return {(one.rule, one.field): one for one in judge(export)}


def start(rid: int, sex: str) -> str:
    return f"{rid},base_arm_1,{sex},555,2,,,,,,,,,,,\n"


def visit(
    rid: int, *, weight="", height="", bmi="", pregnant="", boxes=("0", "0"), remark="", twin="", odd=""
) -> str:
    return f"{rid},week_arm_1,,,,{weight},{height},{bmi},,{pregnant},{boxes[0]},{boxes[1]},{remark},{twin},{odd},2\n"


def asked(one: Judged) -> list[tuple[object, object]]:
    return [(finding["value"], finding["expected"]) for finding in one.findings]


def test_a_hidden_field_with_a_value_is_found_across_forms_and_events(tmp_path):
    rows = start(1, "1") + visit(1, pregnant="1") + start(2, "0") + visit(2, pregnant="1")
    found = judged(write(tmp_path, rows))["FM031", "pregnant"]
    assert asked(found) == [("1", "no value")]
    assert (found.n_values, found.n_undecided) == (2, 0)


def test_hidden_boxes_are_named_and_free_text_is_not_repeated(tmp_path):
    rows = start(1, "0") + visit(1, pregnant="0", boxes=("0", "1"), remark="call her sister") + start(2, "0")
    rows += visit(2, pregnant="1", boxes=("1", "0"), remark="fine") + visit(3, remark="-99")
    found = judged(write(tmp_path, rows))
    assert asked(found["FM031", "symptoms"]) == [("symptoms___2", "no value")]
    assert asked(found["FM031", "remark"]) == [(None, "no value")]
    assert "sister" not in str(found)


def test_logic_that_cannot_be_decided_raises_nothing_and_is_counted(tmp_path):
    found = judged(write(tmp_path, start(1, "0") + visit(1, twin="x", odd="y")))
    assert (found["FM031", "twin"].findings, found["FM031", "twin"].n_undecided) == ((), 1)
    assert found["FM031", "odd"].note == "branching logic: the expression breaks off"


def test_a_calculation_is_recomputed_with_decimal_commas(tmp_path):
    rows = visit(1, weight='"52,3"', height="1.54", bmi="22.1") + visit(
        2, weight='"52,3"', height="1.54", bmi="22.0"
    )
    rows += visit(3, weight='"52,3"', bmi="22.1") + visit(4, weight="70", height="1.7") + visit(5)
    found = judged(write(tmp_path, rows))
    assert asked(found["FM032", "bmi"]) == [("22.0", "22.1"), ("22.1", "no value"), ("", "24.2")]
    assert found["FM032", "score"].note == "no value in the export"


def test_an_unknown_function_is_undecided(tmp_path):
    rows = visit(1, weight="70").replace("70,,,,", "70,,,9,")
    found = judged(write(tmp_path, rows))["FM032", "score"]
    assert (found.findings, found.n_undecided, found.n_values) == ((), 1, 1)


def test_outliers_are_those_of_the_definition(tmp_path):
    values = [60, 61, 62, 63, 64, 65, 66, 67, 68, 120]
    found = judged(write(tmp_path, "".join(visit(at, weight=str(v)) for at, v in enumerate(values))))[
        "FM030", "weight"
    ]
    frame = pl.Series(values)
    expected = [str(v) for v in values if abs(v - frame.mean()) > 2 * frame.std()]
    assert [finding["value"] for finding in found.findings] == expected == ["120"]
    assert {finding["severity"] for finding in found.findings} == {"warn"}


def test_below_ten_values_the_rule_says_that_it_says_nothing(tmp_path):
    rows = "".join(visit(at, weight=str(v)) for at, v in enumerate([60] * (LEAST_VALUES - 2) + [9999]))
    found = judged(write(tmp_path, rows))["FM030", "weight"]
    assert (found.findings, found.note) == ((), "not informative at n < 10: 9 values")


def test_equal_values_have_no_outlier(tmp_path):
    rows = "".join(visit(at, weight="60") for at in range(12))
    assert judged(write(tmp_path, rows))["FM030", "weight"].findings == ()


def test_findings_become_queries_with_subject_and_visit(tmp_path):
    rows = start(1, "1") + visit(1, pregnant="1")
    found = list(judged(write(tmp_path, rows)).values())
    (row_id,) = {str(finding["_row_id"]) for one in found for finding in one.findings}
    keys = {"visit": pl.DataFrame({"_row_id": [row_id], "subject_id": ["1"], "visit_id": ["week"]})}
    asked_of = queries_of(found, keys).select("rule", "severity", "source", "subject", "event", "item")
    assert asked_of.rows() == [("FM031", "query", "visit", "1", "week", "pregnant")]
    assert queries_of([], {}).is_empty()


@pytest.mark.parametrize(("old", "new"), [("= '0'", "= '1'"), ("round([weight]", "round(2*[weight]")])
def test_other_logic_in_the_dictionary_makes_the_queries_stale(tmp_path, old, new):
    write(tmp_path, start(1, "1") + visit(1, pregnant="1"))
    keys = build_catalog(tmp_path).assets["report.data_queries"].study_keys
    before = build_catalog(tmp_path).study_digests[keys]
    write(tmp_path, start(1, "1") + visit(1, pregnant="1"), FIELDS.replace(old, new))
    assert build_catalog(tmp_path).study_digests[keys] != before
