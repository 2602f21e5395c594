"""Chains of deliveries: what closes a data query, what does not, and under which name."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fm_platform.validation import clinical_queries
from fm_platform.validation.clinical_queries import straight_lining
from fm_platform.validation.deliveries import changed_cells, lost_keys
from fm_platform.validation.gate import find
from fm_platform.validation.query_answers import held_cells
from fm_platform.validation.query_cells import OF_STAGED, OTHER_RULES
from fm_platform.validation.query_history import ASKED, OPEN, Present, next_state
from fm_platform.validation.query_rows import found_frame, queries_of_source
from fm_platform.validation.rules import RULES
from fm_platform.validation.staged_visits import StagedVisits
from fm_platform.validation.visit_queries import missing_visits
from fm_platform.validation.withdrawals import nobody_asks
from fm_platform.warehouse.names import relation
from fm_platform_tests.unit.validation.conftest import MiniWarehouse

STUDY = """
study: {id: mini, title: Mini}
clinical:
  participants: {path: p.csv, grain: subject, columns: {subject: id, sex: sex}}
  visits: {path: v.csv, grain: visit, columns: {subject: id, visit: week, arm: arm}}
visits:
  - {id: baseline, baseline: true, values: ["0"]}
  - {id: week_4, values: ["4"]}
  - {id: week_8, values: ["8"]}
population: {sex: f}
instruments: [{use: fiqr, source: visits, items: "q{n}"}]
outcomes:
  - {id: pain, column: visits.pain, range: [0, 10]}
"""
DAY = datetime.date(2024, 5, 1)
ITEMS = [f"q{n}" for n in range(1, 22)]
USUAL = {"arm": "a", "pain": "5", **{item: str(at % 10) for at, item in enumerate(ITEMS)}}
WEEKS = {"baseline": "0", "week_4": "4", "week_8": "8"}
Rows = list[dict[str, str]]


def rows(*subjects: str, weeks: tuple[str, ...] = ("0", "4", "8")) -> Rows:
    return [{"id": subject, "week": week, **USUAL} for subject in subjects for week in weeks]


def cell(visits: Rows, subject: str, at: str, /, **values: str) -> Rows:
    return [{**row, **values} if (row["id"], row["week"]) == (subject, at) else row for row in visits]


def without(visits: Rows, subject: str, week: str) -> Rows:
    return [row for row in visits if (row["id"], row["week"]) != (subject, week)]


class Chain:
    """Deliveries of one study, each looked at as a refresh does, and the table of queries after each."""

    def __init__(self, made: MiniWarehouse, *, staged: bool = False) -> None:
        self.made = made
        self.staged = staged
        self.earlier: list[pl.DataFrame] = []
        self.table: pl.DataFrame | None = None
        self.day = DAY
        self.accepted: set[tuple[str, str]] = set()
        self.absent: set[tuple[str, str | None]] = set()
        self.left: dict[str, str] = {}
        self.aside: list[str] = []
        made.deliver("participants", "id,sex\nA,f\nB,f")

    def deliver(self, visits: Rows, *, blocked: bool = False) -> Chain:
        self.made.deliver_rows("visits", list(visits[0]), [list(row.values()) for row in visits])
        self.day += datetime.timedelta(days=7)
        found = [pl.DataFrame(schema=found_frame([]).schema), *self._asked()]
        self.table = next_state(
            pl.concat(found).filter(~pl.col("subject").is_in(list(self.left)).fill_null(False)),
            self.table,
            Present(
                today=self.day,
                held=self._held,
                looked_at=lambda _: not blocked,
                accepted=lambda query, kept: "accepted by a test" if self._is_accepted(query, kept) else None,
                withdrew=lambda query: nobody_asks(query["rule"], query["subject"], self.left),
            ),
        )
        self.earlier.append(self.made.con.sql("select * from fm.raw.visits").pl())
        return self

    def _asked(self) -> list[pl.DataFrame]:
        con, view = self.made.con, self.made.view("visits")
        findings = find(con, view)
        self.aside = findings.filter(pl.col("scope") == "row")["_row_id"].to_list()
        asked = [queries_of_source(con, view, self.made.instruments, findings)]
        lost = lost_keys(con, view, self.earlier, self.absent).rows()
        asked.append(found_frame([_row("FM021", s, v, "visit" if v else "subject") for s, v, _ in lost]))
        changed = changed_cells(con, view, self.earlier).rows() if self.earlier else []
        asked.append(
            found_frame([_row("FM017", s, v, c, value=new, expected=old) for s, v, c, old, new, _ in changed])
        )
        if self.staged:
            self.made.stage()
            names = ("subjects", "visits", "answers", "measures")
            frames = [con.sql(f"select * from fm.staging.stg_{name}").pl() for name in names]
            staged = StagedVisits(self.made.study, *frames, scores=pl.DataFrame(), attributes={})
            asked += [rule(staged) for rule in (missing_visits, straight_lining)]
        return asked

    def _held(self, queries: list[Mapping[str, Any]]) -> list[Any]:
        con, view = self.made.con, self.made.view("visits")
        aside = con.sql(f"select k.subject_id, k.visit_id from ({view.keys}) k where _row_id in "
                        f"({', '.join(repr(r) for r in self.aside) or 'null'})").fetchall()  # fmt: skip
        return held_cells(
            con, self.made.study, view.columns, relation, queries, present=("participants", "visits"),
            set_aside={("visits", *key) for key in aside},
        )  # fmt: skip

    def _is_accepted(self, query: Mapping[str, Any], kept: str) -> bool:
        if query["rule"] == "FM021":
            return (query["subject"], query["event"]) in self.absent
        return (query["item"], kept) in self.accepted

    def accept(self, rule: str) -> None:
        self.accepted |= {(row["item"], row[ASKED]) for row in self.all(rule)}

    def all(self, rule: str) -> list[dict[str, Any]]:
        assert self.table is not None
        return self.table.filter(pl.col("rule") == rule).to_dicts()

    def one(self, rule: str) -> dict[str, Any]:
        (row,) = self.all(rule)
        return row

    def states(self, rule: str) -> list[str]:
        return [row["state"] for row in self.all(rule)]


def _row(rule: str, subject: str, event: str | None, item: str, **values: str) -> dict[str, object]:
    row: dict[str, object] = {
        "rule": rule,
        "severity": "query",
        "source": "visits",
        "subject": subject,
        "event": event,
    }
    return {**row, "item": item, "value": None, "expected": None, "text": "?", "_row_ids": [], **values}


@pytest.fixture(scope="module")
def study(warehouse: Callable[..., MiniWarehouse]) -> MiniWarehouse:
    return warehouse(STUDY)


SOUND = rows("A", "B")


def test_only_a_change_of_its_cell_resolves_a_query(study: MiniWarehouse) -> None:
    chain = Chain(study)
    wrong = cell(SOUND, "A", "4", pain="60")
    asked = chain.deliver(wrong).one("FM019")
    assert (asked["state"], asked["event"], asked["item"], asked["raised_on"]) == (
        "open",
        "week_4",
        "pain",
        chain.day,
    )

    other = cell(cell(wrong, "B", "8", q3="9"), "A", "4", arm="b")
    still = chain.deliver(other).one("FM019")
    assert {**still, "_row_ids": None} == {**asked, "_row_ids": None}

    answered = chain.deliver(cell(other, "A", "4", pain="6")).one("FM019")
    assert (answered["state"], answered["resolved_on"]) == ("resolved", chain.day)
    assert answered["closed_by"] == "visits.pain@week_4 was '60', is '6'"

    again = chain.deliver(cell(other, "A", "4", pain="70")).one("FM019")
    assert (again["query_id"], again["state"], again["times_reopened"]) == (asked["query_id"], "reopened", 1)
    assert (again["raised_on"], again["reopened_on"], again["closed_by"]) == (
        asked["raised_on"],
        chain.day,
        None,
    )


def test_a_value_that_changed_stays_asked_about_until_it_changes_back_or_is_accepted(
    study: MiniWarehouse,
) -> None:
    chain = Chain(study).deliver(SOUND)
    moved = cell(SOUND, "A", "4", q2="7")
    asked = chain.deliver(moved).one("FM017")
    assert (asked["state"], asked["value"], asked["expected"]) == ("open", "7", "1")
    unrelated = cell(moved, "B", "0", arm="b")
    chain.deliver(unrelated).deliver(cell(unrelated, "B", "8", arm="c"))
    rest = {(row["subject"], row["item"]): row["state"] for row in chain.all("FM017")}
    assert rest == {("A", "q2"): "open", ("B", "arm"): "open"} or set(rest.values()) == {"open"}
    back = {
        row["item"]: row["state"] for row in chain.deliver(cell(unrelated, "A", "4", q2="1")).all("FM017")
    }
    assert back["q2"] == "resolved"

    chain = Chain(study).deliver(SOUND).deliver(moved)
    chain.accept("FM017")
    accepted = chain.deliver(moved).one("FM017")
    assert (accepted["state"], accepted["closed_by"]) == ("accepted", "accepted by a test")
    on = accepted["resolved_on"]
    assert chain.deliver(unrelated).all("FM017")[0]["resolved_on"] == on
    other = chain.deliver(cell(moved, "A", "4", q2="8")).all("FM017")
    assert [(row["state"], row["value"]) for row in other if row["item"] == "q2"] == [("reopened", "8")]


def test_the_answer_to_a_query_is_not_asked_about_as_a_change(study: MiniWarehouse) -> None:
    wrong = cell(SOUND, "A", "4", pain="60")
    chain = Chain(study).deliver(wrong).deliver(cell(wrong, "A", "4", pain="6"))
    assert chain.states("FM017") == []
    chain.deliver(cell(cell(wrong, "A", "4", pain="6"), "B", "4", arm="b"))
    assert [row["item"] for row in chain.all("FM017")] == ["arm"]
    chain.deliver(cell(wrong, "A", "4", pain="7"))
    assert "pain" in {row["item"] for row in chain.all("FM017") if row["state"] == "open"}


def test_two_rows_of_one_visit_become_one_or_none(study: MiniWarehouse) -> None:
    twice = [*SOUND, {**SOUND[1], "pain": "6"}]
    chain = Chain(study).deliver(twice)
    assert chain.states("FM007") == ["open"]
    assert chain.deliver(cell(twice, "B", "4", q1="9")).states("FM007") == ["open"]
    one = chain.deliver(SOUND).one("FM007")
    assert (one["state"], one["closed_by"]) == ("resolved", "rows of visits@week_4: 2, now 1")

    chain = Chain(study).deliver(twice)
    chain.absent = {("A", "week_4")}
    assert chain.deliver(without(SOUND, "A", "4")).states("FM007") == ["removed"]


def test_a_visit_that_was_misnamed_is_resolved_by_its_name_and_removed_without_its_row(
    study: MiniWarehouse,
) -> None:
    misnamed = cell(SOUND, "A", "8", week="88")
    chain = Chain(study).deliver(misnamed)
    assert [(row["event"], row["state"]) for row in chain.all("FM022")] == [("88", "open")]
    assert chain.deliver(SOUND).states("FM022") == ["resolved"]
    chain = Chain(study).deliver(misnamed)
    assert chain.deliver(without(SOUND, "A", "8")).states("FM022") == ["removed"]
    unnamed = cell(SOUND, "A", "8", id="")
    assert Chain(study).deliver(unnamed).deliver(SOUND).states("FM023") == ["resolved"]
    assert Chain(study).deliver(unnamed).deliver(without(SOUND, "A", "8")).states("FM023") == ["removed"]


def test_what_is_lost_is_resolved_when_it_is_delivered_and_accepted_when_it_is_accepted(
    study: MiniWarehouse,
) -> None:
    short = without(SOUND, "B", "8")
    chain = Chain(study).deliver(SOUND).deliver(short, blocked=True)
    assert chain.states("FM021") == ["open"]
    assert chain.deliver(cell(short, "A", "0", q1="8"), blocked=True).states("FM021") == ["open"]
    assert chain.deliver(SOUND).states("FM021") == ["resolved"]
    chain = Chain(study).deliver(SOUND).deliver(short, blocked=True)
    chain.absent = {("B", "week_8")}
    assert chain.deliver(short).states("FM021") == ["accepted"]


def test_a_row_that_is_gone_was_not_answered(study: MiniWarehouse) -> None:
    chain = Chain(study).deliver(cell(SOUND, "A", "4", pain="60"))
    chain.absent = {("A", "week_4")}
    gone = chain.deliver(without(SOUND, "A", "4")).one("FM019")
    assert (gone["state"], gone["closed_by"]) == (
        "removed",
        "the row that was asked about is no longer delivered",
    )


def test_nobody_asks_about_a_subject_who_withdrew(study: MiniWarehouse) -> None:
    wrong = cell(SOUND, "A", "4", pain="60")
    chain = Chain(study).deliver(wrong)
    chain.left = {"A": "exclude"}
    assert chain.deliver(wrong).states("FM019") == ["withdrawn"]
    assert chain.deliver(SOUND).states("FM019") == ["withdrawn"]


def test_a_delivery_that_the_gate_blocks_answers_nothing(study: MiniWarehouse) -> None:
    chain = Chain(study).deliver(cell(SOUND, "A", "4", pain="60"))
    assert chain.deliver(SOUND, blocked=True).states("FM019") == ["open"]
    again = chain.deliver(SOUND).one("FM019")
    assert (again["state"], again["closed_by"]) == ("resolved", "visits.pain@week_4 was '60', is '5'")


def test_another_rule_closes_a_query_without_an_answer(
    study: MiniWarehouse, warehouse: Callable[..., MiniWarehouse]
) -> None:
    chain = Chain(study).deliver(cell(SOUND, "A", "4", pain="20"))
    assert chain.states("FM019") == ["open"]
    wider = warehouse(STUDY.replace("range: [0, 10]", "range: [0, 100]"))
    chain.made = wider
    wider.deliver("participants", "id,sex\nA,f\nB,f")
    gone = chain.deliver(cell(SOUND, "A", "4", pain="20")).one("FM019")
    assert (gone["state"], gone["closed_by"]) == (
        "not asked", "study.yaml no longer gives the rule anything to ask here"
    )  # fmt: skip

    chain = Chain(study).deliver(cell(SOUND, "A", "4", week="12"))
    named = warehouse(STUDY.replace('values: ["8"]', 'values: ["8"]}\n  - {id: week_12, values: ["12"]'))
    named.deliver("participants", "id,sex\nA,f\nB,f")
    chain.made = named
    declared = chain.deliver(cell(SOUND, "A", "4", week="12")).one("FM022")
    assert declared["state"] == "not asked"


def test_a_missing_visit_is_resolved_when_it_is_delivered(study: MiniWarehouse) -> None:
    short = without(SOUND, "B", "4")
    chain = Chain(study, staged=True).deliver(short)
    assert [(r["subject"], r["event"], r["state"]) for r in chain.all("FM016")] == [("B", "week_4", "open")]
    assert chain.deliver(cell(short, "A", "4", arm="b")).states("FM016") == ["open"]
    here = chain.deliver(SOUND).one("FM016")
    assert (here["state"], here["closed_by"]) == ("resolved", "rows of visits@week_4: 0, now 1")


def test_a_row_set_aside_for_another_reason_leaves_its_questions_open(study: MiniWarehouse) -> None:
    straight = cell(SOUND, "A", "4", **dict.fromkeys(ITEMS, "3"))
    chain = Chain(study, staged=True).deliver(straight)
    assert chain.states("FM012") == ["open"]
    twice = [*straight, {**straight[1], "arm": "b"}]
    assert chain.deliver(twice).states("FM012") == ["open"]
    assert chain.deliver(straight).states("FM012") == ["open"]
    answered = chain.deliver(cell(straight, "A", "4", q1="7")).one("FM012")
    assert (answered["state"], answered["closed_by"]) == ("resolved", "visits.q1@week_4 changed")


@pytest.mark.parametrize("seed", range(5))
def test_over_random_chains_a_cells_query_does_what_its_cell_does(study: MiniWarehouse, seed: int) -> None:
    """An oracle a cell: it knows the texts of that one cell and nothing else."""
    draw = random.Random(seed)
    chain, visits = Chain(study), SOUND
    keys = [(row["id"], row["week"]) for row in SOUND]
    state: dict[tuple[str, str], str] = {}
    text: dict[tuple[str, str], str] = {}
    for _ in range(5):
        for subject, week in draw.sample(keys, 2):
            visits = cell(
                visits, subject, week, pain=draw.choice(["3", "8", "60", "61"]), q1=draw.choice("123")
            )
        present = [row for row in visits if draw.random() > 0.1] or visits
        chain.absent = {(s, name) for s in "AB" for name in (None, *WEEKS)}
        chain.deliver(present)
        now = {(row["id"], row["week"]): row["pain"] for row in present}
        for key in keys:
            before, value = state.get(key), now.get(key)
            if value is not None and int(value) > 10:
                state[key] = "reopened" if before not in (None, "open") else "open"
            elif before in OPEN:
                state[key] = "removed" if value is None else "resolved"
            text[key] = value or ""
        shown = {(row["subject"], WEEKS[row["event"]]): row["state"] for row in chain.all("FM019")}
        assert shown == state


def ask(*subjects: str) -> pl.DataFrame:
    return found_frame([{**_row("FM019", s, "baseline", "pain"), "source": "visits"} for s in subjects])


def test_the_same_delivery_seen_twice_changes_nothing(study: MiniWarehouse) -> None:
    chain = Chain(study).deliver(SOUND)
    now = Present(today=DAY, held=chain._held)
    first = next_state(ask("A", "B"), None, now)
    later = Present(today=DAY + datetime.timedelta(days=1), held=chain._held)
    assert next_state(ask("B", "A"), first, later).equals(first)


def test_every_rule_says_which_cells_it_asks_about() -> None:
    folder = Path(clinical_queries.__file__).parent
    named = {
        name for path in folder.glob("*.py") for name in re.findall(r'"(FM\d{3})"', path.read_text("utf-8"))
    }
    assert {"FM001", "FM012", "FM034"} <= named
    assert named - {*RULES, *OTHER_RULES} == set()
    assert not set(OF_STAGED) & set(RULES)


def test_two_spellings_of_a_subject_are_resolved_by_one(study: MiniWarehouse) -> None:
    chain = Chain(study).deliver([*SOUND, *rows("a", weeks=("0",))])
    asked = found_frame([{**_row("FM034", s, None, "subject"), "source": ""} for s in ("A", "a")])
    first = next_state(asked, None, Present(today=DAY, held=chain._held))
    again = next_state(asked.head(0), first, Present(today=DAY, held=chain._held))
    assert again["state"].to_list() == ["not asked", "not asked"]
    chain.deliver(SOUND)
    resolved = next_state(asked.head(0), first, Present(today=DAY, held=chain._held))
    states = dict(resolved.select("subject", "state").rows())
    assert states == {"A": "not asked", "a": "resolved"}
