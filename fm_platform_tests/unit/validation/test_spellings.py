"""Ids and levels that fall together for a reader: never two in silence.

Belongs here: which texts are one, the refusal, and the aliases that settle it. Does not belong here: other row rules.
"""

from __future__ import annotations

import polars as pl
import pytest

from fm_platform.errors import InputError
from fm_platform.validation.spellings import canonical, shown, spelled_twice
from fm_platform.validation.staged_visits import StagedVisits
from fm_platform.validation.visit_queries import subjects_spelled_twice

STUDY = """
study: {{id: ids, title: Ids}}
clinical:
  participants: {{path: p.csv, grain: subject, columns: {{subject: id, arm: arm}}}}
  visits:
    path: v.csv
    grain: visit
    columns: {{subject: id, visit: visit}}
{more}
visits: [{{id: v1, baseline: true}}, {{id: v2}}]
"""


def delivered(warehouse, *ids, arms=("drug", "placebo"), visits=("v1",), more=""):
    made = warehouse(STUDY.format(more=more))
    made.deliver_rows("participants", ["id", "arm"], [["S1", arms[0]], ["S2", arms[1]], ["S3", arms[0]]])
    made.deliver_rows("visits", ["id", "visit"], [[who, visit] for who in ids for visit in visits])
    return made


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("S2", "s2"), ("S2", "S2\t"), ("S2", "S\u200b2"), ("S2", "S2\u00a0"), ("S2", "\uff332"), ("P7", "p007"),
        ("100000", "1E+05"), ("101", "101.0"), ("A 1", "A1"), ("x\u0301", "\u0078\u0301"),
        ("S-2", "S\u20112"), ("S-2", "S\u20132"), ("100000", "1,00E+05"),
        ("P01", "\u042001"), ("BA-7", "\u0392\u0391-7"), ("5 mM", "5 m\u039c"),
    ],
)  # fmt: skip
def test_texts_that_are_one_to_a_reader(one, other):
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("S1", "S2"), ("S10", "S1"), ("1.05", "1.5"), ("A-1", "A1"), ("100", "10"), ("5 \u00b5M", "5 mM")],
)
def test_texts_that_are_two(one, other):
    assert canonical(one) != canonical(other)


def test_what_cannot_be_seen_is_named():
    assert shown("S2\t") == "'S2<U+0009>'"
    assert shown("S\u200b2 x") == "'S<U+200B>2 x'"
    assert shown("\u042001") == "'<U+0420>01'"
    assert shown("\u043c\u0443\u0436") == "'\u043c\u0443\u0436'"


def test_groups_leave_out_what_is_known_to_be_another():
    assert spelled_twice(["S1", "s1", "S2", "01", "1"], apart=["01"]) == [("S1", "s1")]


@pytest.mark.parametrize(
    ("ids", "named"),
    [
        (("S1", "S1", "s1"), "'s1' differs from 'S1'"),
        (("100000", "1E+05"), "'1E+05' differs from '100000'"),
        (("S1", "S2\t"), "'S2<U+0009>' differs from 'S2'"),
        (("S1", "S3\u200b"), "'S3<U+200B>' differs from 'S3'"),
        (("S1", "\u04051"), "'<U+0405>1' differs from 'S1'"),
    ],
)
def test_two_spellings_of_a_subject_are_refused_with_both(warehouse, ids, named):
    with pytest.raises(InputError) as refused:
        delivered(warehouse, *ids).gate("visits")
    assert named in refused.value.message
    assert "aliases:" in refused.value.mend


def test_an_alias_says_whom_a_text_means(warehouse):
    made = delivered(warehouse, "S1", "s2", more="    aliases: {id: {s2: S2}}")
    assert made.gate("visits").findings.is_empty()
    made.stage()
    assert [row[0] for row in made.rows("staging.visits", "subject_id")] == ["S1", "S2"]


def test_a_text_that_means_itself_is_another_subject(warehouse):
    made = delivered(warehouse, "S1", "s1", more="    aliases: {id: {s1: s1}}")
    assert [rule for _, _, rule, _ in made.find("visits")] == ["FM011"]
    assert made.gate("visits").findings["rule"].to_list() == ["FM011"]


def test_two_spellings_of_an_arm_are_refused(warehouse):
    with pytest.raises(InputError, match="'Drug' differs from 'drug'"):
        delivered(warehouse, "S1", arms=("drug", "Drug")).gate("participants")


def test_a_visit_in_another_case_is_told_which_is_meant(warehouse):
    made = delivered(warehouse, "S1", visits=("v1", "V2 ", "v9"))
    assert [reason for *_, reason in made.find("visits")] == [
        "V2 is no visit that study.yaml declares (is v2 meant?)",
        "v9 is no visit that study.yaml declares",
    ]


def test_a_visit_with_slips_is_told_which_is_meant_but_never_another_number(warehouse):
    planned = "{id: baseline, baseline: true}, {id: week_4}, {id: week_12}"
    made = warehouse(STUDY.format(more="").replace("{id: v1, baseline: true}, {id: v2}", planned))
    cells = ("week 4", "wek_4", "Wk-4", "basline", "week_5", "screening", "4")
    made.deliver_rows("participants", ["id", "arm"], [["S1", "drug"]])
    made.deliver_rows("visits", ["id", "visit"], [["S1", cell] for cell in cells])
    meant = dict.fromkeys(cells[:3], " (is week_4 meant?)") | {"basline": " (is baseline meant?)"}
    assert [reason for *_, reason in made.find("visits")] == [
        f"{cell} is no visit that study.yaml declares{meant.get(cell, '')}" for cell in cells
    ]


def test_ids_of_different_sources_that_fall_together_are_asked_about(warehouse):
    made = warehouse(STUDY.format(more="    aliases: {id: {S9: S9}}"))
    subjects = pl.DataFrame({"subject_id": ["S1", "s1\t", "S2", "s9", "S9"], "_row_ids": [["a"]] * 5})
    empty = pl.DataFrame()
    staged = StagedVisits(made.study, subjects, empty, empty, empty, empty, {})
    found = subjects_spelled_twice(staged)
    assert found.select("rule", "subject", "value").rows() == [
        ("FM034", "S1", "'S1'"),
        ("FM034", "s1\t", "'s1<U+0009>'"),
    ]
