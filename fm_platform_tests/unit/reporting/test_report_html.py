from __future__ import annotations

import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser

import polars as pl
import pytest

from fm_platform.reporting.clinical_section import clinical_tables
from fm_platform.reporting.html import render_report
from fm_platform.reporting.page import GateLine, HalfState, ReportInput, SourceLine
from fm_platform.reporting.sections import EXPLORATORY, NOT_A_PUBLISHED_RESULT, SEVERAL_ARMS, SINGLE_ARM
from fm_platform.study.model import Study
from fm_platform_tests.unit.reporting.conftest import contrasts, people, symptom_scores

LOADING = {"src", "href", "srcset", "data", "action", "poster", "background"}
Make = Callable[..., ReportInput]


class Page(HTMLParser):
    """Elements with attributes, the text of each section, and whether every element was closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.section = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag == "section":
            self.section = attributes["id"]
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append((self.section, data))

    def text(self, section: str | None = None) -> str:
        return re.sub(r"\s+", " ", " ".join(text for name, text in self.texts if section in (None, name)))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_page_loads_nothing_and_runs_nothing(make_report: Make) -> None:
    html = render_report(make_report())
    page = Page(html)
    assert page.open == []
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & {
        tag for tag, _ in page.elements
    }
    outside = [
        (tag, value)
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in LOADING and not value.startswith(("#", "data:image/svg+xml;base64,"))
    ]
    assert outside == [("a", "https://doi.org/10.3390/biomedicines11071774")]
    assert "@import" not in html
    assert "url(" not in html
    assert not [
        name
        for _, attributes in page.elements
        for name in attributes
        if name.startswith("on") or name == "style"
    ]


def test_the_content_security_policy_allows_exactly_the_pages_own_style(make_report: Make) -> None:
    html = render_report(make_report())
    style = re.search(r"<style>(.*?)</style>", html, re.S)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    policies = [
        m["content"] for m in Page(html).all("meta") if m.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == [
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    ]


def test_it_has_its_tables_figures_and_facts(make_report: Make) -> None:
    page = Page(render_report(make_report()))
    text = page.text()
    for fact in (
        "paper-figure",
        "run-7",
        "9f" * 32,
        "ab" * 32,
        "as of 2024-05-03",
        "duckdb",
        "1.5.5",
        "c0de",
    ):
        assert fact in text
    symptoms = page.text("clinical")
    for shown in (
        "0.031 (floor 0.031)",
        "−35.2 to −8.5 (96.9%)",
        "4/6 (67%)",
        "22.3% to 95.7% (95%)",
        "5 (83%)",
    ):
        assert shown in symptoms
    assert "Floor, the smallest two-sided p attainable: 0.031 if 6 changed." in symptoms
    assert (
        "Holm adjustment over the 2 declared tests of family primary: no adjusted p can fall below 0.063."
        in symptoms
    )
    assert "exact conditional signed-rank (version 1)" in symptoms
    assert "399" in page.text("expression")
    assert "8 at 0.05" in page.text("expression")
    assert "pydeseq2 0.5.4" in page.text("expression")
    assert "visits 18 17 1 3" in page.text("quality")
    assert NOT_A_PUBLISHED_RESULT in text
    assert SINGLE_ARM in symptoms
    assert EXPLORATORY in page.text("expression")
    assert len(page.all("img")) == 2


def test_it_is_accessible(make_report: Make) -> None:
    page = Page(render_report(make_report()))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("caption")) == len(page.all("table")) > 5
    assert all(head.get("scope") in ("col", "row", "rowgroup") for head in page.all("th"))
    assert all(len(image["alt"]) > 40 for image in page.all("img"))
    assert all(
        link["href"].removeprefix("#") in [s["id"] for s in page.all("section")] for link in page.all("a")[:5]
    )


def test_synthetic_data_are_marked_on_every_section_table_and_figure(
    make_report: Make, make_study: Callable[..., Study]
) -> None:
    html = render_report(make_report())
    page = Page(html)
    assert "SYNTHETIC DATA: A made-up series" in page.text("")
    for kind in ("caption", "figcaption", "h2"):
        inner = re.findall(rf"<{kind}>(.*?)</{kind}>", html, re.S)
        assert inner
        assert all("Synthetic data" in text for text in inner)
    assert all(image["alt"].strip().startswith("Synthetic data") for image in page.all("img"))
    for image in page.all("img"):
        svg = base64.b64decode(image["src"].split(",")[1])
        assert "synthetic-mark" in {e.attrib.get("id") for e in ET.fromstring(svg).iter()}
    assert '@top-center { content: "SYNTHETIC DATA"' in html
    real = render_report(make_report(study=make_study(synthetic=False)))
    assert "synthetic" not in real.lower()


def test_hostile_texts_stay_texts(make_report: Make) -> None:
    attack = '"><script>alert(1)</script><img src=https://evil.example/x>'
    odd = people().with_columns(site=pl.lit(attack), subject_id=pl.col("subject_id").replace({"S1": attack}))
    scores = symptom_scores().with_columns(subject_id=pl.col("subject_id").replace({"S1": attack}))
    html = render_report(
        make_report(
            participants=odd,
            scores=scores,
            head_hash=attack,
            halves=(HalfState("clinical", attack, True, attack),),
            sources=(SourceLine(attack, attack, 1, attack),),
            gate=(GateLine(attack, 1, 1, 0, 0),),
            contrasts=contrasts(label=attack, design=attack, notes=[attack]),
        )
    )
    page = Page(html)
    assert page.open == []
    assert not page.all("script")
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in page.all("img"))
    assert html.count("&lt;script&gt;") > 5


@pytest.mark.parametrize(
    ("as_of", "shown"),
    [("2024-04-01", "What follows is the earlier state of 2024-04-01."), ("", "There is no earlier state.")],
)
def test_a_blocked_half_says_so_with_its_date_and_reason(make_report: Make, as_of: str, shown: str) -> None:
    halves = (
        HalfState("clinical", "2024-05-03"),
        HalfState("expression", as_of, True, "counts are not whole numbers."),
    )
    page = Page(render_report(make_report(halves=halves)))
    warning = "did not pass the gate: counts are not whole numbers. " + shown
    assert warning in page.text("expression")
    assert "Blocked" not in page.text("clinical")
    assert "newest delivery blocked" in page.text("")


def test_a_half_that_the_study_does_not_have_is_absent(
    make_report: Make, make_study: Callable[..., Study]
) -> None:
    whole = make_report()
    text = (whole.study.folder / "study.yaml").read_text(encoding="utf-8")
    clinical_only = text[: text.index("expression:")]
    expression_only = text[: text.index("clinical:")] + text[text.index("expression:") :]
    for rest, present, absent in (
        (clinical_only, "clinical", "expression"),
        (expression_only, "expression", "clinical"),
    ):
        study = make_study(replace=(text, rest))
        keep = {
            "clinical": ("report.t", "expression."),
            "expression": ("report.c", "report.s", "report.r", "marts.", "study."),
        }
        tables = {name: frame for name, frame in whole.tables.items() if not name.startswith(keep[present])}
        report = ReportInput(study, tables, whole.run, whole.head_hash, (HalfState(present, "2024-05-03"),))  # type: ignore[arg-type]
        page = Page(render_report(report))
        sections = [section["id"] for section in page.all("section")]
        assert present in sections
        assert absent not in sections
        assert len(page.all("img")) == 1


def test_a_half_without_results_yet_says_so(make_report: Make) -> None:
    page = Page(render_report(make_report(tables={})))
    assert "No results yet." in page.text("clinical")
    assert "No results yet." in page.text("expression")


def test_exploratory_contrasts_are_marked_wherever_they_appear(make_report: Make) -> None:
    how_run = contrasts(status="exploratory", reason="1 residual degree of freedom", residual_df=1)
    html = render_report(make_report(contrasts=how_run))
    page = Page(html)
    assert "group: fm vs healthy: exploratory, because of 1 residual degree of freedom." in page.text(
        "expression"
    )
    assert "group: fm vs healthy (exploratory)" in page.text("expression")
    svg = base64.b64decode(page.all("img")[1]["src"].split(",")[1])
    assert "exploratory-mark" in {element.attrib.get("id") for element in ET.fromstring(svg).iter()}


def test_a_skipped_contrast_is_listed_with_its_reason_and_not_drawn(make_report: Make) -> None:
    gone = contrasts(
        status="skipped", reason="no sample with group = fm is left", n_tested=None, n_significant=None
    )
    page = Page(render_report(make_report(contrasts=gone)))
    assert "skipped, because of no sample with group = fm is left." in page.text("expression")
    assert len(page.all("img")) == 1


def test_a_study_with_arms_is_not_called_single_arm(make_report: Make) -> None:
    armed = people().with_columns(arm=pl.Series(["1", "2"] * 3))
    symptoms = Page(render_report(make_report(participants=armed))).text("clinical")
    assert SEVERAL_ARMS in symptoms
    assert SINGLE_ARM not in symptoms


def test_the_same_input_gives_the_same_bytes(make_report: Make) -> None:
    report = make_report()
    shuffled = {name: frame.reverse() for name, frame in report.tables.items()}
    assert render_report(report) == render_report(report)
    assert render_report(make_report(tables=shuffled)) == render_report(report)


def test_gaps_are_counted_by_reason_and_refits_are_told(make_report: Make) -> None:
    text = Page(render_report(make_report())).text("expression")
    assert "Genes without a value, by reason" in text
    assert "cooks outlier: one sample decides the result" in text
    assert "6 of 8 genes stay below the cut-off, with the same sign, in each of 10 refits" in text


def test_a_contrast_of_one_sample_against_one_is_labelled_and_not_drawn(make_report: Make) -> None:
    described = contrasts(status="descriptive", reason="one sample against one", n_refits=None, n_stable=None)
    page = Page(render_report(make_report(contrasts=described)))
    assert "descriptive, because of one sample against one." in page.text("expression")
    assert len(page.all("img")) == 1


def test_a_variable_without_levels_has_one_row_and_no_heading_of_the_same_name(make_report: Make) -> None:
    def rows(participants: pl.DataFrame) -> list[tuple[str, list[str]]]:
        table = clinical_tables(make_report(participants=participants))["report.characteristics"]
        return [(group.heading, [row[0] for row in group.rows]) for group in table.groups][:2]

    assert rows(people()) == [("", ["Participants, n"]), ("", ["Age, median (min to max)"])]
    unknown = people().with_columns(age=pl.when(pl.col("subject_id") != "S2").then("age"))
    assert rows(unknown)[1] == ("Age", ["Median (min to max)", "Unknown"])
