"""The steward's site of a refreshed study: complete, self-contained, navigable, and without patients' values."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from fm_platform_tests.e2e.conftest import Workspace

VOID = {"meta", "link", "br", "hr", "input", "img", "wbr"}


class Page(HTMLParser):
    """One page: what it links to, its ids, its landmarks; tags must balance."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.seen: list[str] = []
        self.headings: list[int] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == [], path

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.seen.append(tag)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "a":
            self.links.append(str(found["href"]))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.loads += [str(found[name]) for name in ("src", "srcset", "data") if found.get(name)]
        if tag == "link":
            self.loads.append(str(found.get("href")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (self.path, tag)


@pytest.fixture(scope="module")
def pages(refreshed: Workspace) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted((refreshed.home / "site").rglob("*.html"))}


def rows(workspace: Workspace, sql: str) -> list[dict]:
    return json.loads(workspace.fm("query", sql, "--json").out)


def test_every_link_leads_somewhere(pages):
    links = 0
    for page in pages.values():
        for link in page.links:
            parts = urlsplit(link)
            assert not parts.scheme, (page.path, link)
            assert not parts.netloc, (page.path, link)
            target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            assert target in pages, (page.path, link)
            assert not parts.fragment or unquote(parts.fragment) in pages[target].ids, (page.path, link)
            links += 1
    assert links > 1000


def test_no_page_loads_anything_and_none_names_another_host(pages):
    for page in pages.values():
        text = page.path.read_text(encoding="utf-8")
        assert page.loads == []
        assert not re.findall(r"(?:https?:)?//[a-z]", text), page.path
        assert "default-src 'none'" in html.unescape(text)


def test_every_published_column_has_its_place(pages, refreshed):
    published = rows(
        refreshed,
        "SELECT schema_name || '.' || table_name AS t, column_name AS c FROM duckdb_columns() AS d "
        "WHERE t IN (SELECT table_name FROM audit.tables) AND NOT starts_with(column_name, '_')",
    )
    assert len(published) > 400
    site = refreshed.home / "site"
    index = (site / "columns.html").read_text(encoding="utf-8")
    for row in published:
        page = pages[site / "tables" / f"{row['t']}.html"]
        assert f"column-{row['c']}" in page.ids
        assert f'href="tables/{row["t"]}.html#column-{row["c"]}"' in index


def test_lineage_can_be_followed_both_ways(refreshed):
    recorded = rows(
        refreshed,
        "SELECT DISTINCT table_name, column_name, input_table, input_column FROM audit.column_lineage "
        "WHERE NOT starts_with(column_name, '_') AND NOT starts_with(input_column, '_')",
    )
    sections: dict[tuple[str, str], str] = {}
    for path in (refreshed.home / "site/tables").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        for name, body in re.findall(
            r'<section class="column" id="column-([^"]+)"(.*?)</section>', text, re.S
        ):
            sections[path.stem, name] = body.split("<figure")[0]
    for row in recorded:
        here = (row["table_name"], row["column_name"])
        there = (row["input_table"], row["input_column"])
        assert f'{there[0]}.html#column-{there[1]}"' in sections[here], (here, there)
        assert f'{here[0]}.html#column-{here[1]}"' in sections[there], (there, here)


def test_the_overview_names_sources_head_and_reconciliation(pages, refreshed):
    site = refreshed.home / "site"
    sources = (site / "sources.html").read_text(encoding="utf-8")
    for row in rows(refreshed, "SELECT DISTINCT path, file_sha256 FROM audit.source_rows"):
        assert row["path"] in sources
        assert row["file_sha256"] in sources
    read = rows(refreshed, "SELECT count(*) AS n FROM raw.visits")[0]["n"]
    assert re.search(rf'raw.visits</a></th><td class="n">{read}</td>', sources)
    hashes = {row["hash"] for row in rows(refreshed, "SELECT hash FROM audit.ledger")}
    named = re.search(
        r"record \d+, <span class=\"hash\">([0-9a-f]{64})", (site / "index.html").read_text("utf-8")
    )
    assert named is not None
    assert named[1] in hashes
    checks = (site / "checks.html").read_text(encoding="utf-8")
    verdicts = rows(refreshed, "SELECT check_name, passed FROM audit.checks WHERE table_name <> 'files.site'")
    assert checks.count("<tr><td><span") == len(verdicts)
    assert checks.count('class="bad"') == sum(not row["passed"] for row in verdicts)


def test_tables_and_the_overview_say_what_they_were_made_with(refreshed):
    found = rows(refreshed, "SELECT kind, body FROM audit.ledger WHERE kind IN ('code', 'environment')")
    bodies = {row["kind"]: json.loads(row["body"]) for row in found}
    environment, libraries = bodies["environment"], bodies["code"]["libraries"]
    index, table = (
        (refreshed.home / "site" / page).read_text(encoding="utf-8")
        for page in ("index.html", "tables/marts.participants.html")
    )
    for text in (index, table):
        for said in (environment["python"], environment["machine"], environment["lock"]["sha256"]):
            assert said in text
        assert f"sqlglot {libraries['sqlglot']}" in text
    assert "scipy" in index
    assert "scipy" not in table


def test_the_overview_fits_a_page_and_draws_every_table(refreshed):
    text = (refreshed.home / "site/index.html").read_text(encoding="utf-8")
    drawing = re.search(r'<svg class="drawing" width="(\d+)".*?</svg>', text, re.S)
    assert drawing is not None
    assert int(drawing[1]) <= 1200
    tables = {path.stem for path in (refreshed.home / "site/tables").iterdir()}
    assert set(re.findall(r'href="tables/(.+?)\.html"', drawing[0])) == tables


def test_what_scrolls_takes_the_keyboards_focus_and_has_a_name(pages):
    for page in pages.values():
        text = page.path.read_text(encoding="utf-8")
        for scrolling in re.findall(r'<div class="scroll"[^>]*>', text):
            assert 'tabindex="0"' in scrolling
            name = re.search(r'aria-label="[^"]+"|aria-labelledby="([^"]+)"', scrolling)
            assert name is not None, (page.path, scrolling)
            assert name[1] is None or name[1] in page.ids
        assert text.count("<table") == text.count("<caption")


def test_every_place_that_shows_a_head_says_of_which_moment(pages, refreshed):
    heads = {row["hash"]: row["seq"] for row in rows(refreshed, "SELECT seq, hash FROM audit.ledger")}
    report = (refreshed.home / "reports/report.html").read_text(encoding="utf-8")
    shown = re.search(r"Ledger head when this report was made</dt><dd>([0-9a-f]{64})", report)
    site = re.search(
        r'Ledger head when this site was made</dt><dd class="hash">([0-9a-f]{64})',
        (refreshed.home / "site/index.html").read_text(encoding="utf-8"),
    )
    assert shown is not None
    assert site is not None
    assert heads[shown[1]] < heads[site[1]]
    for page in [report, *(page.path.read_text(encoding="utf-8") for page in pages.values())]:
        assert "the same chain" in html.unescape(page)


def test_pages_are_marked_synthetic_and_can_be_walked_by_landmarks(pages):
    for page in pages.values():
        assert "SYNTHETIC DATA" in page.path.read_text(encoding="utf-8")
        assert {"main", "nav", "header", "footer"} <= set(page.seen)
        assert len(page.ids) == len(set(page.ids))
        assert page.headings[0] == 1
        assert all(
            after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False)
        )


def test_no_page_holds_a_patients_value(pages, refreshed):
    """Neither a subject's id nor a date of a visit."""
    dates = {
        row["d"]
        for row in rows(refreshed, "SELECT DISTINCT CAST(visit_date AS VARCHAR) AS d FROM raw.visits")
    }
    dates -= {None, ""}
    assert len(dates) > 5
    for page in pages.values():
        text = page.path.read_text(encoding="utf-8")
        assert not re.search(r"SYN\d", text), page.path
        assert not [date for date in dates if date in text], page.path


def test_the_site_is_a_recorded_file_like_the_report(workspace):
    page = workspace.home / "site/index.html"
    page.write_text(page.read_text(encoding="utf-8").replace("passed", "failed", 1), encoding="utf-8")
    outcome = workspace.fm("verify")
    assert outcome.code == 1
    assert "site/index.html differs from the ledger" in outcome.out + outcome.err


def test_a_refresh_that_changes_nothing_leaves_the_site_alone(workspace):
    page = workspace.home / "site/index.html"
    before = page.stat().st_mtime_ns
    assert workspace.fm("refresh").code == 0
    assert page.stat().st_mtime_ns == before
