"""An outcome of which too many values are refused stops its half, and the message says what to do.

Belongs here: cells in, the verdict out. Does not belong here: which cells are refused (``test_cell_rules``).
"""

from __future__ import annotations

import pytest

STUDY = """
study: {{id: refusals, title: Refusals}}
clinical:
  visits:
    path: visits.csv
    grain: visit
    columns: {{subject: id, visit: visit}}
{more}
visits: [{{id: v1, baseline: true}}, {{id: v2}}]
unscheduled: [extra]
outcomes: [{{id: level, column: visits.level, range: [0, 10]}}]
gate: {{max_set_aside: 1, max_lost: {limit}}}
"""


def judged(warehouse, cells, more="", limit=0.2):
    """The check on subjects' levels, given by visit."""
    made = warehouse(STUDY.format(more=more, limit=limit))
    rows = [[f"s{at}", visit, level] for visit, levels in cells.items() for at, level in enumerate(levels)]
    made.deliver_rows("visits", ["id", "visit", "level"], rows)
    (check,) = (check for check in made.gate("visits").checks if check.name == "refused_within_limit")
    return check


def test_six_of_sixteen_undeclared_codes_stop_the_half_and_name_the_mend(warehouse):
    check = judged(warehouse, {"v1": ["7", "n.d."] * 4, "v2": ["5", "6", "n.d.", "2"] * 2})
    assert (check.passed, check.blocking, check.severity) == (False, True, "ERROR")
    assert check.metadata["columns"] == [{"column": "level", "visit": None, "refused": 6, "delivered": 16}]
    assert check.told == (
        "visits.csv, column level: 6 of 16 values are refused (6 x 'n.d.', which is not a number): if they mean that "
        'there is no value, add "n.d." to `missing:` in `clinical: visits:` of study.yaml, or correct the file.'
    )
    assert "n.d." not in repr(check.metadata)


@pytest.mark.parametrize(
    ("cells", "more", "limit"),
    [
        ({"v1": ["7", "x", "x"]}, "", 0.2),
        ({"v1": ["7"] * 12 + ["x", "y", "z"]}, "", 0.2),
        ({"v1": ["7", "n.d.", "n.d.", "n.d."]}, '    missing: ["", n.d.]', 0.2),
        ({"v1": ["7"] * 5 + ["x", "y", "z"]}, "", 0.4),
        ({"v1": ["7"] * 3 + [""] * 20, "nowhere": ["x"] * 9, "extra": ["y"] * 9}, "", 0.2),
    ],
    ids=["two cells", "at the limit", "declared", "allowed", "rows that no outcome is read from"],
)
def test_few_allowed_or_declared_refusals_stop_nothing(warehouse, cells, more, limit):
    check = judged(warehouse, cells, more, limit)
    assert check.passed
    assert not check.told


def test_blanks_are_no_values_that_could_dilute_the_share(warehouse):
    assert not judged(warehouse, {"v1": ["7"] * 7 + ["x", "y", "z"] + [""] * 90}).passed


def test_one_visit_is_judged_on_its_own(warehouse):
    check = judged(warehouse, {"v1": ["7"] * 30, "v2": ["7"] * 5 + ["-"] * 3 + ["lost"]})
    assert check.metadata["columns"] == [{"column": "level", "visit": "v2", "refused": 4, "delivered": 9}]
    assert "column level at v2: 4 of 9 values are refused (3 x '-'" in check.told
    assert 'add "-", "lost" to `missing:`' in check.told


@pytest.mark.parametrize(
    ("cells", "more", "mend"),
    [
        (["7", "6,5", "5,5", "4,5"], "    decimal: point", "write `decimal: comma`"),
        (["7", "6.5", "5.5", "4.5"], "    decimal: comma", "write `decimal: point`"),
        (["7", "65", "55", "45"], "", "declare their unit with `units:`"),
        (["7", "650", "550", "450"], "", "correct the outcome's `range:`"),
        (["7", "6?", "5?", "4?"], "", "which is not a number): correct the file."),
        (["7", "-9", "-9", "-9"], "", 'add "-9" to `missing:`'),
        (["7", "99", "99", "99"], "", 'add "99" to `missing:`'),
    ],
)
def test_the_mend_fits_the_texts(warehouse, cells, more, mend):
    assert mend in judged(warehouse, {"v1": cells}, more).told


QUESTIONNAIRE = """
study: {id: items, title: Items}
clinical: {visits: {path: visits.csv, grain: visit, columns: {subject: id, visit: visit}, missing: ["", NA]}}
visits: [{id: v1, baseline: true}]
instruments: [{use: fiqr, source: visits, items: "q{n}"}]
outcomes: [{id: pain, score: fiqr.pain}]
"""


@pytest.mark.parametrize(("item", "passed"), [("q12", False), ("q1", True)], ids=["pain", "combing hair"])
def test_of_a_questionnaire_only_the_items_of_an_outcome_are_judged(warehouse, item, passed):
    made = warehouse(QUESTIONNAIRE)
    names = [f"q{n}" for n in range(1, 22)]
    rows = [[f"s{at}", "v1", *("x" if name == item and at < 3 else "5" for name in names)] for at in range(8)]
    made.deliver_rows("visits", ["id", "visit", *names], rows)
    (check,) = (check for check in made.gate("visits").checks if check.name == "refused_within_limit")
    assert check.passed == passed
    assert passed or f"column {item}: 3 of 8" in check.told
