"""study.yaml: what is accepted means what it says, and what is wrong is refused at its line."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from fm_platform.errors import InputError
from fm_platform.study.loading import load_study
from fm_platform.study.model import Study

STUDY = """\
study:
  id: fm-test
  title: A test
clinical:
  people:
    path: people.csv
    grain: subject
    columns: {subject: id, sex: sex}
  visits:
    path: visits.csv
    grain: visit
    columns: {subject: [site, id], visit: visit, date: day}
    missing: ["", NA, {"-99": not_done}]
    units: {pain: {from: mm, to: nrs}}
visits:
  - {id: baseline, day: 1, baseline: true, values: ["no", "010"]}
  - {id: week_4, label: Week 4, day: 29, window: [15, 56]}
unscheduled: [extra]
population: {group: [a, b]}
labels: {arm: {"1": Placebo, no: None given}}
instruments:
  - {use: fiqr, source: visits, items: "fiqr_q{n}"}
outcomes:
  - {id: total, score: fiqr.total}
  - {id: twstrs, column: visits.twstrs, range: [6, 85], better: higher}
responders:
  - {id: r30, outcome: total, reduction: 0.30}
expression:
  counts: {path: counts.csv}
  samples: {path: samples.csv, id: sample}
contrasts:
  - {id: c1, design: "~ batch + group", variable: group, level: "no", reference: 010}
"""

Load = Callable[[str], Study]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a text as study.yaml."""

    def run(text: str) -> Study:
        (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
        return load_study(tmp_path)

    return run


def test_a_study_is_read_as_written(load, tmp_path):
    study = load(STUDY)
    assert study.folder == tmp_path
    assert study.text == STUDY
    assert study.clinical["visits"].columns["subject"] == ("site", "id")
    assert study.clinical["people"].role("sex") == "sex"
    assert study.clinical["people"].role("age") is None
    assert study.clinical["visits"].missing_codes == {"": "", "NA": "", "-99": "not_done"}
    assert study.clinical["visits"].units["pain"].factor == Fraction(1, 10)
    assert study.population == {"group": ("a", "b")}
    assert study.outcome("twstrs").range == (6.0, 85.0)
    assert (study.has_clinical, study.has_expression) == (True, True)


def test_levels_that_yaml_would_turn_into_booleans_or_numbers_stay_text(load):
    study = load(STUDY.replace('["no", "010"]', "[no, 010]").replace('level: "no"', "level: no"))
    assert study.visits[0].found_as == ("no", "010")
    assert (study.contrasts[0].level, study.contrasts[0].reference) == ("no", "010")
    assert study.label("arm", "no") == "None given"
    assert study.label("arm", "2") == "2"


def test_a_visit_is_found_by_its_values_or_else_by_its_id(load):
    study = load(STUDY)
    assert study.baseline.id == "baseline"
    assert study.visit_of("010").id == "baseline"
    assert study.visit_of("week_4").id == "week_4"
    assert study.visit_of("baseline") is None
    assert study.visit_of("10") is None


@pytest.mark.parametrize(
    ("written", "exact"),
    [("0.30", Fraction(3, 10)), ("0.1", Fraction(1, 10)), ("0.333", Fraction(333, 1000))],
)
def test_a_reduction_is_an_exact_fraction(load, written, exact):
    assert load(STUDY.replace("0.30", written)).responders[0].reduction_exact == exact


def without(start: str, end: str | None = None) -> str:
    """STUDY without the lines from one top-level key to another."""
    cut = STUDY[STUDY.index(start) :]
    return STUDY.replace(cut if end is None else cut[: cut.index(end)], "")


def test_one_half_is_enough(load):
    clinical = load(without("expression:"))
    assert (clinical.has_clinical, clinical.has_expression) == (True, False)
    expression = load(without("clinical:", "expression:"))
    assert (expression.has_clinical, expression.has_expression) == (False, True)


def swap(old: str, new: str) -> str:
    assert STUDY.count(old) == 1, old
    return STUDY.replace(old, new)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (swap("id: fm-test", "id: 1 bad"), 2, "beginning with a letter"),
        (swap("  title: A test\n", ""), 1, "'study.title' is missing"),
        (swap("  people:", "  People:"), 5, "lower-case"),
        (swap("    grain: subject\n", ""), 5, "add `grain: subject`"),
        (swap("grain: subject", "grain: person"), 7, "found 'person'"),
        (swap("{subject: id, sex: sex}", "{sex: sex}"), 5, "columns needs a `subject:`"),
        (swap("{subject: id, sex: sex}", "{subject: id, sex: [a, b]}"), 5, "role sex takes one column"),
        (swap("from: mm", "from: cm"), 14, "found 'cm'"),
        (swap("grain: visit", "grain: visits"), 11, "found 'visits'"),
        (swap("baseline: true, ", ""), 15, "0 of them are marked baseline"),
        (swap("day: 29,", "day: 29, baseline: true,"), 15, "2 of them are marked baseline"),
        (swap("id: week_4", "id: baseline"), 16, "'baseline' appears twice"),
        (swap("day: 29", "day: tomorrow"), 17, "found 'tomorrow'"),
        (swap('["no", "010"]', "[week_4]"), 17, "'week_4' stands for two visits"),
        (swap("[extra]", "[week_4]"), 17, "'week_4' stands for two visits"),
        (swap("use: fiqr, source: visits", "use: fiqr, source: visit"), 22, "source 'visit' is not declared"),
        (swap("score: fiqr.total", "label: x"), 24, "either `score:` or `column:`"),
        (swap("score: fiqr.total", "score: fiqr.total, column: visits.x"), 24, "either `score:` or `column:`"),
        (swap("column: visits.twstrs", "column: twstrs"), 25, "source.column"),
        (swap("range: [6, 85], ", ""), 25, "needs `range:"),
        (swap("[6, 85]", "[85, 6]"), 25, "lower end first"),
        (swap("visits.twstrs", "visit.twstrs"), 25, "no source named 'visit'"),
        (swap("id: twstrs", "id: total"), 24, "'total' appears twice"),
        (swap("outcome: total", "outcome: pain"), 27, "no outcome 'pain'"),
        (swap("0.30", "30"), 27, "share between 0 and 1"),
        (swap("0.30", "a third"), 27, "found 'a third'"),
        (swap('"~ batch + group"', '"batch + group"'), 32, "begins with ~"),
        (swap("variable: group", "variable: grou"), 32, "'grou' is not in the design"),
        (swap("reference: 010", 'reference: "no"'), 32, "level and reference are the same"),
        (swap("variable: group", "variable: group, alpha: 1.5"), 32, "alpha"),
        (without("  counts:", "  samples:"), 28, "'expression.counts' is missing"),
        (STUDY + 'schedule: {cron: "99 77 * * *"}\n', 33, "'99 77 * * *' is no time"),
        (STUDY + 'schedule: {cron: "0 2 31 2 *"}\n', 33, "minute, hour, day"),
        (STUDY + "schedule: {cron: nightly}\n", 33, "e.g. 0 2 * * *"),
        (STUDY + "schedules: {cron: x}\n", 33, "did you mean 'schedule'"),
        (swap("people:\n    path:", "people:\n    patch:"), 6, "did you mean 'path'"),
        (swap("{id: week_4, label", "{id: week_4, lable"), 17, "did you mean 'label'"),
        (without("clinical:"), 1, "needs `clinical:`, `expression:` or both"),
        (without("visits:\n  - {", "unscheduled"), 9, "no `visits:` are declared"),
        (without("expression:", "contrasts"), 28, "contrasts need an expression half"),
        (STUDY.replace("people", "counts"), 5, "the platform's own"),
        (STUDY.replace("people", "stg_people"), 5, "the platform's own"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_at_its_line(load, text, line, words):
    with pytest.raises(InputError) as refused:
        load(text)
    assert words in str(refused.value)
    assert refused.value.line == line
    assert refused.value.file.endswith("study.yaml")
    assert refused.value.mend
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("cron", ["0 2 * * *", "*/30 6-20 * * MON-FRI", "5 23 1,15 * *", "@daily"])
def test_a_schedule_is_what_dagster_takes_for_one(load, cron):
    assert load(STUDY + f'schedule: {{cron: "{cron}"}}\n').schedule.cron == cron


def test_a_folder_without_study_yaml_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"study\.yaml: file not found"):
        load_study(tmp_path)


# -- files -------------------------------------------------------------------------------------------------------


def test_a_named_file_must_be_there(load, tmp_path):
    study = load(STUDY)
    with pytest.raises(InputError, match=r"study\.yaml:6: file people.csv does not exist"):
        study.resolve("people.csv", "clinical", "people", "path")
    (tmp_path / "people.csv").write_text("")
    assert study.resolve("people.csv", "clinical", "people", "path") == tmp_path / "people.csv"


def test_the_newest_of_dated_exports_is_picked_by_name_whatever_was_written_last(load, tmp_path):
    study = load(STUDY)
    for name in ("export_2021-12-31.csv", "export_2022-01-02.csv", "export_2022-01-01.csv"):
        (tmp_path / name).write_text(name)
    (tmp_path / "export_9999.csv").mkdir()
    found = study.resolve("export_*.csv", "clinical", "people", "path", pick="newest")
    assert found.name == "export_2022-01-02.csv"
    with pytest.raises(InputError, match=r"matches export_2021-12-31\.csv, .*pick: newest"):
        study.resolve("export_*.csv", "clinical", "people", "path")


def test_a_pattern_without_a_match_is_refused_and_with_one_needs_no_pick(load, tmp_path):
    study = load(STUDY)
    with pytest.raises(InputError, match=r"study\.yaml:6: no file matches export_\*"):
        study.resolve("export_*.csv", "clinical", "people", "path", pick="newest")
    (tmp_path / "export_1.csv").write_text("")
    assert study.resolve("export_*.csv", "clinical", "people", "path").name == "export_1.csv"


# -- contrast files ----------------------------------------------------------------------------------------------

WITH_FILE = STUDY[: STUDY.index("contrasts:")] + "contrasts: contrasts.csv\n"


def test_a_contrast_file_in_nf_core_s_layout_is_read(load, tmp_path):
    (tmp_path / "contrasts.csv").write_text(
        "\ufeffid,variable,reference,target,blocking\nc1,group,010,no,\nc2,group,a,b,batch;subject\n",
        encoding="utf-8",
    )
    first, second = load(WITH_FILE).contrasts
    assert (first.id, first.design, first.variable) == ("c1", "~ group", "group")
    assert (first.level, first.reference) == ("no", "010")
    assert second.design == "~ batch + subject + group"
    assert (second.level, second.reference) == ("b", "a")


def test_a_contrast_file_is_part_of_the_study_s_digest(load, tmp_path):
    digests = set()
    for target in ("b", "c"):
        (tmp_path / "contrasts.csv").write_text(f"id,variable,reference,target\nc1,group,a,{target}\n")
        digests.add(load(WITH_FILE).section_digest("contrasts"))
    assert len(digests) == 2


@pytest.mark.parametrize(
    "content", ["id,variable,reference\nc1,group,a\n", "id,variable,reference,target\n", ""]
)
def test_a_contrast_file_without_its_columns_or_rows_is_refused(load, tmp_path, content):
    (tmp_path / "contrasts.csv").write_text(content)
    with pytest.raises(
        InputError, match=r"contrasts\.csv:1: a contrast file needs the columns id, reference, target"
    ):
        load(WITH_FILE)


def test_a_contrast_file_that_is_no_text_is_refused(load, tmp_path):
    (tmp_path / "contrasts.csv").write_bytes("id,variable,reference,target\nc1,grün,a,b\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"contrasts\.csv: not a CSV in UTF-8"):
        load(WITH_FILE)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="folder: not a CSV in UTF-8"):
        load(WITH_FILE.replace("contrasts.csv", "folder"))


def test_a_missing_contrast_file_is_refused_at_its_line(load):
    with pytest.raises(InputError, match=r"study\.yaml:31: contrast file contrasts\.csv does not exist"):
        load(WITH_FILE)


@pytest.mark.parametrize("row", ["c1,group,a", "c1,group,a,a", "1,group,a,b", "c1,group,a,b\nc1,group,a,c"])
def test_a_wrong_row_of_a_contrast_file_is_refused(load, tmp_path, row):
    (tmp_path / "contrasts.csv").write_text(f"id,variable,reference,target\n{row}\n")
    with pytest.raises(InputError) as refused:
        load(WITH_FILE)
    assert refused.value.line == 31


# -- identity ----------------------------------------------------------------------------------------------------


def test_layout_and_remarks_do_not_change_a_section_but_values_do(load):
    before = load(STUDY).section_digest("visits", "outcomes")
    laid_out = "# remark\n" + STUDY.replace("{id: total, score", "{id: total,   score")
    assert load(laid_out).section_digest("outcomes", "visits") == before
    assert load(swap("label: Week 4", "label: Fourth")).section_digest("visits", "outcomes") != before
    assert load(swap("id: r30", "id: r31")).section_digest("visits", "outcomes") == before


def test_the_order_of_entries_is_content(load):
    first, second = "  - {id: total, score: fiqr.total}\n", STUDY.splitlines(keepends=True)[24]
    exchanged = STUDY.replace(first + second, second + first)
    assert exchanged != STUDY
    assert load(exchanged).section_digest("outcomes") != load(STUDY).section_digest("outcomes")


# -- kinds of contrasts, size factors -----------------------------------------------------------------------------

PAIR = 'variable: group, level: "no", reference: 010'
SAMPLES = "  samples: {path: samples.csv, id: sample}\n"


def test_a_contrast_may_be_a_coefficient_or_a_vector(load):
    by_name = load(
        STUDY.replace(PAIR, 'coefficient: "group[T.b]", reference_levels: {group: 010}')
    ).contrasts[0]
    assert (by_name.pair, by_name.compares, by_name.reference_levels) == (
        None,
        "group[T.b]",
        {"group": "010"},
    )
    weighed = load(
        STUDY.replace(PAIR, 'vector: {"group[T.b]": 1, "group[T.c]": -0.5}, lfc_threshold: 1')
    ).contrasts[0]
    assert weighed.compares == "1 group[T.b] - 0.5 group[T.c]"
    assert weighed.test == "Wald test of |log2 fold change| > 1"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (PAIR + ", coefficient: x", "give one of: `variable:`, `level:` and `reference:`, or `coefficient:`"),
        ("alpha: 0.1", "give one of"),
        ('variable: group, level: "no"', "needs variable, level and reference"),
        ("vector: {a: 0}", "every weight of the vector is 0"),
        ("vector: {a: much}", "vector.a: Input should be a valid number"),
        ("coefficient: x, complete_pairs: true", "complete_pairs goes with a comparison of two levels"),
        (PAIR + ', reduced: "~ batch", alternative: less', "no fold change to bound"),
        (PAIR + ", alternative: lessAbs", "lessAbs needs a positive lfc_threshold"),
        (PAIR + ", reference_levels: {sex: m}", "variable 'sex' is not in the design"),
    ],
)
def test_a_contrast_that_says_too_much_or_too_little_is_refused_at_its_line(load, keys, said):
    with pytest.raises(InputError) as caught:
        load(STUDY.replace(PAIR, keys))
    assert said in str(caught.value)
    assert f"study.yaml:{STUDY[: STUDY.index(PAIR)].count(chr(10)) + 1}:" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("poscounts", ("poscounts", (), None)),
        ("{column: sf}", ("ratio", (), "sf")),
        ('{kind: poscounts, control_genes: ["ERCC-*", g1]}', ("poscounts", ("ERCC-*", "g1"), None)),
    ],
)
def test_size_factors_are_declared_by_kind_column_or_control_genes(load, text, found):
    made = load(STUDY.replace(SAMPLES, SAMPLES + f"  size_factors: {text}\n"))
    factors = made.expression.size_factors
    assert (factors.kind, factors.control_genes, factors.column) == found
    assert made.section_digest("expression.size_factors") != load(STUDY).section_digest(
        "expression.size_factors"
    )


@pytest.mark.parametrize("text", ["median", "{column: sf, kind: ratio}", "{colum: sf}"])
def test_size_factors_that_make_no_sense_are_refused_at_their_line(load, text):
    line = (STUDY[: STUDY.index(SAMPLES)] + SAMPLES).count("\n") + 1
    with pytest.raises(InputError, match=rf"study\.yaml:{line}: .*size_factors"):
        load(STUDY.replace(SAMPLES, SAMPLES + f"  size_factors: {text}\n"))
