from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fm_platform.errors import InputError
from fm_platform.expression.designs.reconcile import match_ids, propose_affix

PASILLA_SHEET = ["treated1fb", "treated2fb", "untreated1fb", "untreated2fb"]
PASILLA_MATRIX = ["untreated1", "untreated2", "treated1", "treated2"]


def _pairs(sheet: list[str], matrix: list[str]) -> dict[str, str]:
    return {pair.sheet_id: pair.count_id for pair in match_ids(sheet, matrix, reconcile="affix").matches}


def test_equal_ids_match_in_any_order() -> None:
    mapping = match_ids(["b", "a"], ["a", "b"])
    assert mapping.rule == "exact"
    assert [(pair.sheet_id, pair.count_id) for pair in mapping.matches] == [("b", "b"), ("a", "a")]


def test_different_ids_show_both_lists_and_the_option_that_would_match_them() -> None:
    with pytest.raises(InputError) as caught:
        match_ids(PASILLA_SHEET, PASILLA_MATRIX, file="samples.csv")
    text = str(caught.value)
    assert text.startswith("samples.csv: ")
    assert "Only in the sample sheet: treated1fb, treated2fb, untreated1fb, untreated2fb" in text
    assert "Only in the count matrix: untreated1, untreated2, treated1, treated2" in text
    assert "--reconcile affix" in text
    assert "treated1fb is treated1" in text


def test_a_suffix_of_the_sheet_is_taken_off_and_named() -> None:
    mapping = match_ids(PASILLA_SHEET, PASILLA_MATRIX, reconcile="affix")
    assert mapping.rule == "suffix 'fb' taken off the sheet's ids"
    assert _pairs(PASILLA_SHEET, PASILLA_MATRIX)["untreated2fb"] == "untreated2"


@pytest.mark.parametrize(
    ("sheet", "matrix", "rule"),
    [
        (["FM_1", "HC_2"], ["Counts_FM_1", "Counts_HC_2"], "prefix 'Counts_' taken off the matrix's ids"),
        (["FM_1", "MHC_67"], ["FM_1(AB)", "MHC_67(C)"], "trailing parenthesis ignored"),
        (["FM-1", "fm-2"], ["fm-1", "FM-2"], "surrounding spaces and letter case ignored"),
        (
            ["s01-a", "s02-b"],
            ["s01.a", "s02.b"],
            "separators - _ . and space taken as equal, letter case ignored",
        ),
        (["1", "2"], ["X1.bam", "X2.bam"], "prefix 'X' and suffix '.bam' taken off the matrix's ids"),
    ],
)
def test_rules_by_example(sheet: list[str], matrix: list[str], rule: str) -> None:
    mapping = match_ids(sheet, matrix, reconcile="affix")
    assert mapping.rule == rule
    assert [pair.count_id for pair in mapping.matches] == matrix


@pytest.mark.parametrize(
    ("sheet", "matrix"),
    [
        (["control1", "control2"], ["patient1", "patient2"]),  # an affix of each list, not of one
        (["a1x", "a2x", "a3"], ["a1", "a2", "a3"]),  # not common to all ids
        (["a1", "a2"], ["a1", "a2", "a3"]),  # not one to one
        (["A", "a"], ["x", "y"]),
        (["aab", "aaab"], ["aa", "a"]),  # not the same affix length
    ],
)
def test_nothing_is_guessed(sheet: list[str], matrix: list[str]) -> None:
    assert propose_affix(sheet, matrix) is None
    with pytest.raises(InputError, match="differ"):
        match_ids(sheet, matrix, reconcile="affix")


def test_two_ways_to_strip_that_pair_differently_are_refused() -> None:
    # Taking 'aa' off the front, off the end, or one from each side: all leave the same set.
    assert propose_affix(["aaa", "aaaa"], ["a", "aa"]) is None


def test_repeated_ids_are_named() -> None:
    with pytest.raises(InputError, match="count matrix names b more than once"):
        match_ids(["a", "b"], ["a", "b", "b"])


def test_a_sheet_of_fields_separated_by_blanks_is_told() -> None:
    with pytest.raises(InputError, match="separated by blanks") as caught:
        match_ids(["s1 ctl", "s2 trt"], ["s1", "s2"])
    assert "write.csv" in str(caught.value.mend)


def test_blanks_at_the_ends_of_ids_separate_no_fields() -> None:
    with pytest.raises(InputError, match=r"2 agree") as caught:
        match_ids(["s1", "s2", "s3 "], ["s1", "s2", "s3"])
    assert "surrounding spaces" in str(caught.value.mend)


def test_a_row_without_counts_says_what_to_do_in_a_study_and_in_fm_de() -> None:
    with pytest.raises(InputError) as caught:
        match_ids(["s1", "s2", "s3"], ["s1", "s2"])
    for said in ("`count_id:`", "--sample-id", "leave its cell empty", "remove the row"):
        assert said in str(caught.value.mend)


def test_unknown_way_to_reconcile() -> None:
    with pytest.raises(InputError, match="'fuzzy'"):
        match_ids(["a"], ["a"], reconcile="fuzzy")


def test_extra_matrix_samples_are_named_and_the_sheet_is_to_be_completed() -> None:
    with pytest.raises(InputError, match=r"Only in the sample sheet: none.*count matrix: c.*add a row"):
        match_ids(["a", "b"], ["a", "b", "c"])


_NAMES = st.lists(st.text("abAB12_-", min_size=1, max_size=6), min_size=2, max_size=6, unique_by=str.casefold)


@given(names=_NAMES, prefix=st.text("xyz", max_size=3), suffix=st.text("xyz", max_size=3), order=st.randoms())
def test_one_affix_on_one_list_is_always_undone_or_refused_never_mismatched(
    names: list[str], prefix: str, suffix: str, order: object
) -> None:
    long = [prefix + name + suffix for name in names]
    shuffled = sorted(names, key=lambda _: order.random())  # type: ignore[attr-defined]
    proposal = propose_affix(long, shuffled)
    assert proposal is not None
    assert [pair.count_id for pair in proposal.matches] == names
