"""Quiet traps of sample sheets: missing values as texts, one level in several spellings, samples in rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from fm_platform.errors import InputError
from fm_platform.expression.de import run_de
from fm_platform.expression.de_request import Compared, declared_contrast, declared_level, declared_levels
from fm_platform.expression.designs.choice import choose_samples
from fm_platform.expression.designs.samples import resolve_samples
from fm_platform.expression.designs.variables import read_variables
from fm_platform.study.expression import Contrast, SamplesSource

NAMES = ["s1", "s2", "s3", "s4"]


def sheet(**columns: list[str]) -> pl.DataFrame:
    ids = [f"{at:032x}" for at in range(len(NAMES))]
    return pl.DataFrame({"_row_id": ids, "sample": NAMES, **columns, "_line": [2, 3, 4, 5]})


def resolved(source: SamplesSource | None = None, **columns: list[str]) -> pl.DataFrame:
    declared = source or SamplesSource(path="s.csv", id="sample")
    return resolve_samples(sheet(**columns), declared, NAMES, file="s.csv").frame


def refusal(samples: pl.DataFrame, design: str, **options: list[str]) -> InputError:
    with pytest.raises(InputError) as caught:
        read_variables(samples, design, **options)
    assert caught.value.mend
    return caught.value


# -- missing values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["NA", "NaN", "N/A", "n/a", "<NA>", "#N/A", " NA ", ".", "#REF!"])
def test_a_text_that_means_no_value_is_no_level(text):
    error = refusal(resolved(batch=["a", "b", "a", text]), "~ batch")
    assert f"'batch' is missing ({text.strip()!r}) for sample s4 (line 5)" in error.message
    assert "--subset" in str(error.mend)


def test_a_cell_of_invisible_characters_is_no_level():
    assert "'batch' is missing" in refusal(resolved(batch=["a", "b", "a", "\u200b"]), "~ batch").message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ctl", "ct\u200bl"),
        ("ctl", "\ufeffctl"),
        ("ctl", "'ctl'"),
        ("low-dose", "low\u2013dose"),
        ("1", "1,0"),
        ("10", "1e1"),
    ],
)
def test_levels_that_look_alike_are_one_level_in_two_spellings(one, other):
    error = refusal(resolved(batch=[one, other, "b", one]), "~ batch")
    assert f"{other!r} of s2 (line 3)" in error.message


def test_a_letter_of_another_script_is_named_by_its_code():
    error = refusal(resolved(group=["ctl", "\u0441tl", "z", "z"]), "~ group")
    assert "'ctl' of s1 (line 2) and '<U+0441>tl' of s2 (line 3)" in error.message


def test_micromolar_is_not_millimolar():
    found = read_variables(resolved(dose=["5 \u00b5M", "5 mM", "0", "0"]), "~ dose")
    assert set(found.levels["dose"]) == {"5 \u00b5M", "5 mM", "0"}


@pytest.mark.parametrize(("one", "other"), [("-", "+"), ("1", "-1"), ("dose 1", "dose -1"), ("a", "a-")])
def test_signs_tell_levels_apart(one, other):
    read_variables(resolved(batch=[one, other, one, other]), "~ batch")


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_cell_is_no_level(text):
    assert (
        "'batch' is empty for sample s2 (line 3)"
        in refusal(resolved(batch=["a", text, "a", "b"]), "~ batch").message
    )


def test_a_covariate_may_not_be_missing_either(tmp_path):
    error = refusal(resolved(age=["1", "2", "NA", "4"]), "~ age", covariates=["age"])
    assert "'age' is missing ('NA') for sample s3 (line 4)" in error.message


@pytest.mark.parametrize("text", ["none", "Na", "null", "0", "-"])
def test_texts_that_are_levels_stay_levels(text):
    assert text in read_variables(resolved(batch=["a", "b", "a", text]), "~ batch").levels["batch"]


def test_samples_without_a_value_can_be_left_out():
    samples = resolved(batch=["a", "b", "a", "NA"], group=["x", "y", "x", "y"])
    contrast = Contrast(
        id="c", design="~ batch", variable="batch", level="b", reference="a", subset={"batch": ["a", "b"]}
    )
    assert choose_samples(samples, contrast).kept.height == 3


# -- spellings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ctl", "ctl "),
        ("ctl", " ctl"),
        ("ctl", "Ctl"),
        ("24 h", "24  h"),
        ("24 h", "24\u00a0h"),
        ("24 h", "24h"),
        ("day 1", "day_1"),
        ("day_1", "day1"),
        ("a + b", "a+b"),
        ("1", "1 "),
        ("1", "1.0"),
        ("01", "1"),
        ("Zürich", "Zu\u0308rich"),
    ],
)
def test_a_level_in_two_spellings_is_refused_with_samples_and_lines(one, other):
    error = refusal(resolved(group=[one, other, "z", "z"]), "~ group")
    assert "'group' spells one level in several ways" in error.message
    assert f"{one!r} of s1 (line 2)" in error.message
    assert f"{other!r} of s2 (line 3)" in error.message
    assert "in the sample sheet" in str(error.mend)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("a-1", "a_1"), ("1", "10"), ("x1", "x01"), ("1.5", "15"), ("day -1", "day 1")),
        *(("P 1 1", "P 11"), ("1_2", "12")),
    ],
)
def test_other_differences_make_two_levels(one, other):
    assert read_variables(resolved(group=[one, other, "z", "z"]), "~ group").levels["group"] == tuple(
        sorted([one, other, "z"])
    )


def test_numbers_of_a_covariate_may_be_written_in_any_way():
    found = read_variables(resolved(dose=["1", "1.0", "2 ", "3"]), "~ dose", covariates=["dose"])
    assert found.values["dose"] == [1, 1, 2, 3]


def test_a_subset_may_not_lose_samples_by_their_spelling():
    samples = resolved(group=["a", "b", "a", "b"], tissue=["liver", "liver", "Liver", "liver "])
    contrast = Contrast(
        id="c", design="~ group", variable="group", level="b", reference="a", subset={"tissue": ["liver"]}
    )
    with pytest.raises(
        InputError, match=r"'Liver' of s3 \(line 4\) and 'liver' of s1 \(line 2\), s2 \(line 3\)"
    ):
        choose_samples(samples, contrast)


def test_the_compared_level_in_two_spellings_is_no_unknown_level():
    contrast = Contrast(id="c", design="~ group", variable="group", level="trt", reference="ctl")
    with pytest.raises(InputError, match="in several ways"):
        choose_samples(resolved(group=["ctl", "ctl ", "trt ", "trt "]), contrast)


@pytest.mark.parametrize("role", ["subject", "visit"])
@pytest.mark.parametrize("other", ["p1 ", "P1"])
def test_subjects_and_visits_in_two_spellings_are_refused(role, other):
    source = SamplesSource(path="s.csv", id="sample", **{role: "who"})
    with pytest.raises(InputError, match=f"spells one {role} in several ways") as caught:
        resolved(source, who=["p1", other, "p2", "p2"])
    assert (caught.value.file, caught.value.column) == ("s.csv", "who")
    assert "(line 2)" in caught.value.message


def test_spellings_of_a_visit_that_the_study_lists_are_one_visit():
    source = SamplesSource(path="s.csv", id="sample", visit="when")
    known = {"V1": "first", "v1": "first", "V2": "second"}
    frame = resolve_samples(sheet(when=["V1", "v1", "V2", "V2"]), source, NAMES, visit_of=known.get).frame
    assert frame["visit_id"].to_list() == ["first", "first", "second", "second"]
    with pytest.raises(InputError, match="spells one visit"):
        resolve_samples(
            sheet(when=["V1", "V1 ", "V2", "V2"]), source, NAMES, visit_of={"V1": "V1", "V2": "V2"}.get
        )


def test_a_subset_that_was_cut_at_a_comma_shows_how_to_quote():
    samples = resolved(dose=["24 h, low", "24 h, low", "0", "0"])
    name, levels = declared_levels("dose=24 h, low", "--subset")
    contrast = Contrast(
        id="c", design="~ dose", variable="dose", level="24 h, low", reference="0", subset={name: levels}
    )
    with pytest.raises(InputError) as caught:
        choose_samples(samples, contrast)
    assert "--subset 'dose=\"24 h, low\"'" in str(caught.value.mend)


def test_a_value_of_a_subset_spelled_unlike_the_sheet_s_loses_no_samples():
    samples = resolved(group=["a", "b", "a", "b"], site=["North 1", "North 1", "south", "south"])
    contrast = Contrast(
        id="c",
        design="~ group",
        variable="group",
        level="b",
        reference="a",
        subset={"site": ["south", "north_1"]},
    )
    with pytest.raises(
        InputError, match=r"no sample has site = 'north_1', .* spells in another way"
    ) as caught:
        choose_samples(samples, contrast)
    assert "did you mean 'North 1'" in str(caught.value.mend)


def test_a_value_of_a_subset_that_is_yet_to_come_is_noted():
    samples = resolved(group=["a", "b", "a", "b"], week=["0", "0", "4", "4"])
    contrast = Contrast(
        id="c", design="~ group", variable="group", level="b", reference="a", subset={"week": ["0", "12"]}
    )
    choice = choose_samples(samples, contrast)
    assert choice.kept.height == 2
    assert choice.notes == ("no sample has week = '12', which the subset names",)


def test_a_level_with_blanks_at_its_ends_shows_how_to_quote():
    contrast = Contrast(id="c", design="~ group", variable="group", level="trt", reference="ctl")
    with pytest.raises(InputError) as caught:
        choose_samples(resolved(group=["ctl", "ctl", "trt ", "trt "]), contrast)
    assert "did you mean 'trt '?" in str(caught.value.mend)
    assert '"trt "' in str(caught.value.mend)


def test_a_column_named_with_a_blank_says_so():
    error = refusal(resolved(**{"group ": ["a", "a", "b", "b"]}), "~ group")
    assert "did you mean 'group '? Take the blanks out" in str(error.mend)


# -- what a command line says ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dose=a", ("dose", ("a",))),
        ("dose=a, b", ("dose", ("a", "b"))),
        ('dose="24-h (drug, 10 µM)",0 h', ("dose", ("24-h (drug, 10 µM)", "0 h"))),
        ("dose=0 h,72h=wash[T.x]", ("dose", ("0 h", "72h=wash[T.x]"))),
        ('"dose=24 h, low",0 h', ("dose", ("24 h, low", "0 h"))),
        ('"a=b"=x,"y"', ("a=b", ("x", "y"))),
        ('dose="say ""ah"", now"', ("dose", ('say "ah", now',))),
        ('dose="ctl ",trt', ("dose", ("ctl ", "trt"))),
        ("dose=", ("dose", ("",))),
    ],
)
def test_levels_of_a_subset_are_quoted_like_those_of_a_contrast(text, expected):
    assert declared_levels(text, "--subset") == expected


def test_a_reference_level_may_be_quoted():
    assert declared_level('dose="24 h, low"', "--reference") == ("dose", "24 h, low")
    assert declared_level("dose=24 h, low", "--reference") == ("dose", "24 h, low")


@pytest.mark.parametrize("text", ["dose", '"dose"', "=a", '"dose,a"'])
def test_a_subset_without_a_variable_is_refused(text):
    with pytest.raises(InputError, match="expected VARIABLE=LEVEL"):
        declared_levels(text, "--subset")


def test_a_contrast_keeps_the_blanks_of_a_quoted_level():
    found = declared_contrast(Compared(pair='group,"trt ", ctl '), design="~ group")
    assert (found.level, found.reference) == ("trt ", "ctl")
    weighed = declared_contrast(Compared(vector='"g[T.a, b]"=1,"g[T.c]=-1"'), design="~ g")
    assert weighed.vector == {"g[T.a, b]": 1.0, "g[T.c]": -1.0}


# -- both files ------------------------------------------------------------------------------------------------


def de(folder: Path, counts: str, samples: str, format: str = "auto") -> InputError:
    (folder / "counts.csv").write_text(counts)
    (folder / "samples.csv").write_text(samples)
    with pytest.raises(InputError) as caught:
        run_de(
            *(folder / name for name in ("counts.csv", "samples.csv")),
            *("~ group", "group,b,a"),
            out=folder / "de.csv",
            format=format,
        )
    assert not (folder / "de.csv").exists()
    return caught.value


def test_fm_de_tells_the_lines_of_the_sheet(tmp_path):
    counts = "gene,s1,s2,s3,s4\nG1,1,2,3,4\n"
    assert "'a ' of s2 (line 4)" in str(de(tmp_path, counts, "# x\nsample,group\ns1,a\ns2,a \ns3,b\ns4,b\n"))
    assert "missing ('NA') for sample s4 (line 5)" in str(
        de(tmp_path, counts, "sample,group\ns1,a\ns2,a\ns3,b\ns4,NA\n")
    )


@pytest.mark.parametrize(
    "counts",
    [
        "sample,ACTB,TP53,MYC\ns1,1,2,3\ns2,4,5,6\ns3,7,8,9\n",
        "sample,group,ACTB,TP53\ns1,a,1,2\ns2,a,4,5\ns3,b,7,8\n",
        "ACTB,TP53\ns1,1,2\ns2,4,5\ns3,7,8\n",
        "sample,ACTB,TP53\ns1,1,2\ns2,4,5\ns3,7,8\ns4,7,8\n",
    ],
)
def test_samples_in_rows_are_told_by_the_sheet(tmp_path, counts):
    error = de(tmp_path, counts, "sample,group\ns1,a\ns2,a\ns3,b\n")
    assert "the matrix has samples in rows: s1, s2, s3" in error.message
    assert "--format transposed" in str(error.mend)


def test_genes_in_rows_declared_as_samples_in_rows_are_told_too(tmp_path):
    counts = "gene,s1,s2,s3\nACTB,5,6,7\nTP53,7,8,9\n"
    error = de(tmp_path, counts, "sample,group\ns1,a\ns2,a\ns3,b\n", "transposed")
    assert "where that is said already, samples are in columns: drop it" in str(error.mend)


def test_without_the_gene_ids_the_way_out_is_hinted_at():
    source = SamplesSource(path="s.csv", id="sample")
    with pytest.raises(InputError) as caught:
        resolve_samples(sheet(), source, ["ACTB", "TP53"])
    assert "format: transposed" in str(caught.value.mend)
    with pytest.raises(InputError) as caught:
        resolve_samples(sheet(), source, ["s1", "s2"])
    assert "transposed" not in str(caught.value.mend)
