from __future__ import annotations

import html
import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator

import matplotlib as mpl
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fm_platform.reporting.figures import drawing, symptom_caption, symptom_figure, volcano
from fm_platform.reporting.figures.drawing import BLUE, RED, plain, spread
from fm_platform.study.model import Study
from fm_platform_tests.unit.reporting.conftest import OUTCOMES, de_results, people, symptom_scores

SVG = "{http://www.w3.org/2000/svg}"


def groups(svg: bytes) -> dict[str, ET.Element]:
    return {
        element.attrib["id"]: element
        for element in ET.fromstring(svg).iter(f"{SVG}g")
        if "id" in element.attrib
    }


def strokes(svg: bytes, prefix: str) -> Iterator[tuple[str, str, int]]:
    """Id, colour and number of unbroken pieces of each line."""
    for name, element in groups(svg).items():
        if name.startswith(prefix):
            path = element.find(f"{SVG}path")
            assert path is not None
            colour = re.search(r"stroke: (#[0-9a-f]{6})", path.attrib["style"])
            assert colour is not None
            yield name, colour.group(1), path.attrib["d"].count("M")


def comments(svg: bytes) -> str:
    """The texts of a figure: each outlined text is preceded by a comment that says it."""
    texts = re.findall(r"<!-- (.*?) -->", svg.decode(), re.S)
    return html.unescape(" ".join(" ".join(texts).split()))


def test_seven_panels_with_one_red_or_blue_line_a_participant(study: Study, outcomes: pl.DataFrame) -> None:
    svg = symptom_figure(symptom_scores(), people(), outcomes, study)
    panels = {name for name in groups(svg) if name.startswith("panel-")}
    assert panels == {f"panel-{name}" for name, *_ in OUTCOMES}
    for outcome, *_ in OUTCOMES:
        colours = [colour for _, colour, _ in strokes(svg, f"line-{outcome}-")]
        assert colours == [RED, BLUE, BLUE, RED, BLUE, BLUE]


def test_a_line_breaks_across_a_missing_visit(study: Study, outcomes: pl.DataFrame) -> None:
    whole = symptom_figure(symptom_scores(), people(), outcomes, study)
    broken = symptom_figure(symptom_scores(missing=(("S2", "week_4"),)), people(), outcomes, study)
    assert {pieces for *_, pieces in strokes(whole, "line-pain-")} == {1}
    pieces = {name: count for name, _, count in strokes(broken, "line-pain-")}
    line = groups(broken)["line-pain-1"].find(f"{SVG}path")
    assert line is not None
    assert "L" not in line.attrib["d"]
    assert all(count == 1 for name, count in pieces.items() if name != "line-pain-1")


def test_the_y_axis_shows_the_whole_scale_whatever_the_values(study: Study, outcomes: pl.DataFrame) -> None:
    def height(scale: float) -> float:
        flat = symptom_scores().with_columns(value=pl.lit(scale))
        line = groups(symptom_figure(flat, people(), outcomes, study))["line-fiqr_total-0"].find(f"{SVG}path")
        assert line is not None
        return float(line.attrib["d"].split()[2])

    bottom, middle, top = height(0), height(50), height(100)
    assert bottom - top > 100
    assert middle == pytest.approx((bottom + top) / 2)


def test_every_line_is_labelled_and_labels_of_equal_values_do_not_overlap(
    study: Study, outcomes: pl.DataFrame
) -> None:
    same = symptom_scores(30).with_columns(value=pl.lit(5.0))
    svg = symptom_figure(same, people(30), outcomes, study)
    heights = []
    for index in range(30):
        label = groups(svg)[f"label-pain-{index}"]
        moved = next(
            e.attrib["transform"]
            for e in label.iter(f"{SVG}g")
            if "translate" in e.attrib.get("transform", "")
        )
        found = re.search(r"translate\(([-\d.]+) ([-\d.]+)\)", moved)
        assert found is not None
        heights.append(float(found.group(2)))
    assert np.diff(sorted(heights)).min() > 6.2


def test_many_participants_get_thin_lines_a_median_and_no_labels(
    study: Study, outcomes: pl.DataFrame
) -> None:
    svg = symptom_figure(symptom_scores(31), people(31), outcomes, study)
    names = groups(svg)
    assert not [name for name in names if name.startswith("label-")]
    assert [colour for _, colour, _ in strokes(svg, "median-pain-")] == [RED, BLUE]
    assert "thick: medians" in symptom_caption(symptom_scores(31), people(31), outcomes, study)


def test_the_caption_counts_each_visit_and_says_which_way_is_worse(
    study: Study, outcomes: pl.DataFrame
) -> None:
    scores = symptom_scores(missing=(("S2", "week_4"), ("S3", "week_12"), ("S4", "week_12")))
    caption = symptom_caption(scores, people(), outcomes, study)
    assert "Baseline n = 6, Week 4 n = 5, Week 12 n = 4" in caption
    assert "Higher = worse in every panel." in caption
    better = outcomes.with_columns(
        better=pl.when(pl.col("outcome_id") == "energy").then(pl.lit("higher")).otherwise("better")
    )
    assert "except in Energy (higher = better)" in symptom_caption(scores, people(), better, study)


def test_those_outside_the_population_are_not_drawn(study: Study, outcomes: pl.DataFrame) -> None:
    inside = people().with_columns(in_population=pl.col("subject_id") != "S1")
    svg = symptom_figure(symptom_scores(), inside, outcomes, study)
    assert len(list(strokes(svg, "line-pain-"))) == 5
    assert "S1" not in comments(svg).split()


def test_other_strata_get_colours_of_their_own_and_unrecorded_ones_are_named(
    study: Study, outcomes: pl.DataFrame
) -> None:
    named = people().with_columns(stratum=pl.Series(["a", "b", "c", "a", "b", None]))
    svg = symptom_figure(symptom_scores(), named, outcomes, study)
    colours = [colour for _, colour, _ in strokes(svg, "line-pain-")]
    assert len(set(colours)) == 4
    assert colours[:2] == colours[3:5]
    assert "Not recorded (n = 1)" in comments(svg)


def test_more_than_twelve_outcomes_are_cut_and_the_caption_says_so(
    study: Study, outcomes: pl.DataFrame
) -> None:
    many = pl.concat(
        [outcomes, outcomes.with_columns(pl.col("outcome_id") + "_b", pl.col("position") + 7)], how="vertical"
    )
    svg = symptom_figure(symptom_scores(), people(), many, study)
    assert len([name for name in groups(svg) if name.startswith("panel-")]) == 12
    assert "2 further declared outcomes are not drawn" in symptom_caption(
        symptom_scores(), people(), many, study
    )


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "$\\frac{", "a\x00b\x0bc", "--><b>", "x" * 300, "鬼\u202e"]
)
@pytest.mark.filterwarnings("ignore:Glyph")
def test_any_subject_id_gives_well_formed_svg(hostile: str, study: Study, outcomes: pl.DataFrame) -> None:
    odd = people(2).with_columns(subject_id=pl.Series([hostile, "S2"]))
    scores = symptom_scores(2).with_columns(subject_id=pl.col("subject_id").replace({"S1": hostile}))
    svg = symptom_figure(scores, odd, outcomes, study)
    assert "line-pain-1" in groups(svg)
    assert b"<script" not in svg


def test_the_same_input_gives_the_same_bytes_whatever_the_users_settings(
    study: Study, outcomes: pl.DataFrame
) -> None:
    arguments = (symptom_scores(), people(), outcomes, study)
    first = symptom_figure(*arguments)
    with mpl.rc_context({"font.size": 20, "axes.grid": True, "svg.fonttype": "none"}):
        assert symptom_figure(*arguments) == first
        assert mpl.rcParams["font.size"] == 20
    reordered = (arguments[0].reverse(), arguments[1].reverse(), arguments[2].reverse(), study)
    assert symptom_figure(*reordered) == first
    assert b"dc:date" not in first
    assert b"Matplotlib" not in first


def test_synthetic_data_are_marked_in_the_figure_itself(
    make_study: Callable[..., Study], outcomes: pl.DataFrame
) -> None:
    for synthetic in (True, False):
        svg = symptom_figure(symptom_scores(), people(), outcomes, make_study(synthetic=synthetic))
        assert ("synthetic-mark" in groups(svg)) == synthetic
        assert ("SYNTHETIC DATA" in comments(svg)) == synthetic


def test_volcano_names_significant_genes_and_draws_their_threshold() -> None:
    svg = volcano(de_results(), "fm_vs_healthy", 0.05, "fm vs healthy")
    names = groups(svg)
    assert {name for name in names if name.startswith("gene-")} == {f"gene-{index}" for index in range(8)}
    assert "threshold" in names
    assert (
        "399 genes tested; adjusted p < 0.05: 5 higher (red), 3 lower (blue). 1 without a p-value"
        in comments(svg)
    )
    assert "exploratory-mark" not in names
    assert "synthetic-mark" not in names


def test_volcano_without_significant_genes_names_none() -> None:
    dull = de_results().with_columns(padj=pl.lit(1.0))
    names = groups(volcano(dull, "fm_vs_healthy", 0.05, "fm vs healthy"))
    assert not [name for name in names if name.startswith("gene-") or name == "threshold"]


def test_volcano_marks_what_is_exploratory_or_synthetic() -> None:
    svg = volcano(de_results(), "fm_vs_healthy", 0.05, "t", exploratory=True, synthetic=True)
    assert {"exploratory-mark", "synthetic-mark"} <= set(groups(svg))
    assert "too little replication" in comments(svg)


def test_volcano_bytes_depend_on_the_results_alone() -> None:
    first = volcano(de_results(), "fm_vs_healthy", 0.05, "t")
    assert volcano(de_results().reverse(), "fm_vs_healthy", 0.05, "t") == first


def test_volcano_of_no_results_is_an_empty_frame() -> None:
    svg = volcano(de_results().clear(), "fm_vs_healthy", 0.05, "t")
    assert "0 genes tested" in comments(svg)


@given(st.lists(st.floats(0, 100), max_size=30))
def test_spread_keeps_the_gap_the_range_and_the_order(wanted: list[float]) -> None:
    placed = spread(wanted, 3.0, 0.0, 100.0)
    ordered = sorted(placed)
    assert all(later - earlier >= 3.0 - 1e-9 for earlier, later in itertools.pairwise(ordered))
    assert all(-1e-9 <= position <= 100 + 1e-9 for position in placed)
    ranks = sorted(range(len(wanted)), key=lambda index: (wanted[index], index))
    assert [placed[index] for index in ranks] == ordered


@given(st.text(max_size=80))
def test_plain_text_is_printable_and_short(text: str) -> None:
    shown = plain(text, 20)
    assert len(shown) <= 20
    assert shown.isprintable()


@pytest.mark.parametrize(
    "colour",
    [
        *drawing.PALETTE,
        drawing.INK,
        drawing.FAINT,
        drawing.RED,
        drawing.BLUE,
        drawing.NEUTRAL,
        drawing.NOT_RECORDED,
    ],
)
def test_every_colour_of_small_text_can_be_read_on_white(colour: str) -> None:
    """WCAG 2.2, success criterion 1.4.3: 4.5 to 1, by its definition of relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.5
