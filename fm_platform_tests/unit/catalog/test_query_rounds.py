"""Data queries in a home over deliveries: what the ledger knows decides what closes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fm_platform.catalog.decisions import accept, accept_query
from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.session import open_session
from fm_platform.errors import CheckFailed, InputError
from fm_platform.warehouse.home import Home

QUERIES = "report.data_queries"
STUDY = """\
study: {id: rounds, title: Rounds}
clinical:
  participants: {path: p.csv, grain: subject, columns: {subject: id, sex: sex}}
  visits: {path: v.csv, grain: visit, columns: {subject: id, visit: week}}
visits:
  - {id: base, baseline: true, values: ["0"]}
  - {id: w4, values: ["4"]}
population: {sex: f}
instruments: [{use: fiqr, source: visits, items: "q{n}"}]
outcomes: [{id: pain, column: visits.pain, range: [0, 10]}]
"""
ITEMS = {f"q{n}": str(n % 10) for n in range(1, 22)}
Cell = tuple[str, str, str]


class Site:
    """A study folder and its home, brought up to date as far as the data queries go."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder / "study", Home(folder / "home")
        self.folder.mkdir()
        self.write("study.yaml", STUDY)
        self.write("p.csv", "id,sex\nA,f\nB,f\nC,f\n")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def deliver(self, changes: Mapping[Cell, str] | None = None, *, without: str = "") -> list[str]:
        """Visits with some cells changed, and without the rows of a subject; what was computed."""
        header = ["id", "week", "pain", *ITEMS]
        lines = [",".join(header)]
        for subject in "ABC".replace(without or "-", ""):
            for week in ("0", "4"):
                row = {"id": subject, "week": week, "pain": "5", **ITEMS}
                row |= {c: text for (s, w, c), text in (changes or {}).items() if (s, w) == (subject, week)}
                lines.append(",".join(row.values()))
        self.write("v.csv", "\n".join(lines) + "\n")
        return self.refresh()

    def refresh(self) -> list[str]:
        catalog = build_catalog(self.folder)
        wanted, made = upstream(catalog.assets, QUERIES), []
        with open_session(catalog, self.home, "run") as session:
            for asset in catalog.in_order():
                if asset.table in wanted and asset.table in session.plan({asset.table}).stale:
                    try:
                        session.materialize(asset.table)
                    except (CheckFailed, InputError):
                        continue
                    made.append(asset.table)
        return made

    def queries(self, rule: str) -> dict[tuple[str, str], dict[str, Any]]:
        with open_session(build_catalog(self.folder), self.home, "look") as session:
            rows = session.warehouse.read(QUERIES).to_dicts()
        return {(row["subject"], row["item"]): row for row in rows if row["rule"] == rule}

    def states(self, rule: str) -> dict[tuple[str, str], str]:
        return {key: row["state"] for key, row in self.queries(rule).items()}


def upstream(assets: Mapping[str, Any], table: str) -> set[str]:
    found = {table}
    for name in assets[table].inputs:
        found |= upstream(assets, name)
    return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.deliver()
    return made


def test_an_unrelated_delivery_closes_nothing_and_a_decision_what_it_names(site: Site) -> None:
    moved = {("A", "4", "q2"): "7"}
    site.deliver(moved)
    site.deliver({**moved, ("B", "4", "q3"): "9"})
    assert site.states("FM017") == {("A", "q2"): "open", ("B", "q3"): "open"}

    name = site.queries("FM017")["A", "q2"]["query_id"]
    catalog = build_catalog(site.folder)
    with pytest.raises(InputError, match="no open data query"):
        accept_query(catalog, site.home, "none", "confirmed")
    with pytest.raises(InputError, match="reason"):
        accept_query(catalog, site.home, name, " ")
    accept_query(catalog, site.home, name, "confirmed by the site")
    assert site.refresh() == [QUERIES]
    assert site.states("FM017") == {("A", "q2"): "accepted", ("B", "q3"): "open"}
    closed = site.queries("FM017")["A", "q2"]
    assert closed["query_id"] == name
    assert closed["closed_by"].endswith(": confirmed by the site")
    assert closed["_lines"] == "v.csv:3"
    assert site.refresh() == []
    site.deliver({("A", "4", "q2"): "8", ("B", "4", "q3"): "9"})
    assert site.states("FM017") == {("A", "q2"): "reopened", ("B", "q3"): "open"}


def test_a_delivery_that_is_blocked_or_cannot_be_read_answers_nothing(site: Site) -> None:
    site.deliver({("A", "4", "q1"): "60", ("B", "0", "q1"): "70"})
    both = {("A", "q1"): "open", ("B", "q1"): "open"}
    assert site.states("FM001") == both

    made = site.deliver({("B", "0", "q1"): "70"}, without="C")
    assert "staging.visits" not in made
    assert site.states("FM001") == both
    assert site.states("FM021") == {("C", "subject"): "open"}

    text = (site.folder / "v.csv").read_text(encoding="utf-8")
    site.write("v.csv", text.replace("week", "when", 1))
    assert "raw.visits" not in site.refresh()
    assert site.states("FM001") == both

    site.write("v.csv", text)
    accept(build_catalog(site.folder), site.home, "FM021", "visits", "C", None, "never came")
    site.refresh()
    assert site.states("FM001") == {("A", "q1"): "resolved", ("B", "q1"): "open"}
    assert site.queries("FM001")["A", "q1"]["closed_by"] == "visits.q1@w4 was '60', is '1'"
    assert site.states("FM021") == {("C", "subject"): "accepted"}


def test_a_rule_that_study_yaml_takes_away_leaves_no_answer_behind(site: Site) -> None:
    wrong = {("A", "4", "pain"): "60"}
    site.deliver(wrong)
    assert site.states("FM019") == {("A", "pain"): "open"}
    site.write("study.yaml", STUDY.replace("range: [0, 10]", "range: [0, 100]"))
    site.refresh()
    assert site.states("FM019") == {("A", "pain"): "not asked"}


def test_who_withdrew_is_not_asked_about_and_who_is_to_be_erased_is_not_kept(site: Site) -> None:
    wrong = {("A", "4", "q1"): "60", ("B", "4", "q1"): "61", ("C", "4", "q1"): "62"}
    site.deliver(wrong)
    site.write("study.yaml", STUDY + "withdrawals: w.csv\n")
    site.write("w.csv", "subject,date,scope\nA,2024-01-01,exclude\nB,2024-01-01,erase\n")
    site.refresh()
    assert site.states("FM001") == {("A", "q1"): "withdrawn", ("C", "q1"): "open"}
