"""Comparisons of small literal snapshots: every kind of reason, and whom it reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fm_platform.catalog.asset import RowsOf
from fm_platform.commands.comparing import print_conclusions
from fm_platform.lineage.diff.comparison import diff
from fm_platform.lineage.diff.model import Diff, Reason, Table
from fm_platform.lineage.history import fold
from fm_platform.lineage.snapshots import snapshots_of
from fm_platform.warehouse.database import TableWrite, Warehouse, open_warehouse
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import sha256_text
from fm_platform.warehouse.publish import Publication, publish
from fm_platform.warehouse.records import Link

STUDY = """\
clinical:
  visits: {path: visits.csv, columns: {subject: who, visit: when}}
outcomes:
  - {id: pain, better: lower}
  - {id: sleep, better: lower}
"""
DELIVERED = [("S1", "w0", "8"), ("S1", "w4", "5"), ("S2", "w0", "7"), ("S2", "w4", "6")]


@dataclass
class World:
    """What the next publication is made from: literal tables, study.yaml, code and libraries."""

    warehouse: Warehouse
    study: str = STUDY
    files: dict[str, str] = field(default_factory=lambda: {"models/scores.sql": "1", "stats.py": "1"})
    libraries: dict[str, str] = field(default_factory=lambda: {"scipy": "1.14"})
    number: int = 0

    def begin(self) -> None:
        """The records of the study and of the code."""
        with self.warehouse.transaction():
            self.warehouse.append("study", {"id": "t", "text": self.study, "sha256": sha256_text(self.study)})
            files = sorted(self.files.items())
            assets = {
                "marts.scores": {"files": [0], "libraries": []},
                "stats.change": {"files": [1], "libraries": sorted(self.libraries)},
            }
            body = {"files": [list(f) for f in files], "libraries": self.libraries, "assets": assets}
            self.warehouse.append("code", body)

    def put(
        self,
        table: str,
        key: Sequence[str],
        rows: pl.DataFrame,
        inputs: Sequence[str] = (),
        lineage: Mapping[str, Sequence[Sequence[str]]] | None = None,
        study_keys: Sequence[str] = (),
        code: str = "",
        source_rows: pl.DataFrame | None = None,
        links: Sequence[Link] = (),
    ) -> None:
        """Materialize a table."""
        made = fold(self.warehouse.records()).materialized
        facts = {
            "fingerprint": "f",
            "actor": "somebody",
            "half": "clinical",
            "study_keys": list(study_keys),
            "column_lineage": {c: [list(e) for e in entries] for c, entries in (lineage or {}).items()},
            "parts": {
                "inputs": {name: made[name].value_digest for name in inputs},
                "study": sha256_text(self.study) if study_keys else "none",
                "code": code,
                "sources": [],
                "extra": {},
            },
        }
        self.warehouse.write(TableWrite(table, tuple(key), rows, facts, source_rows=source_rows, links=links))

    def publish(self) -> None:
        """Publish what there is."""
        self.number += 1
        history = fold(self.warehouse.records())
        tables = pl.DataFrame(
            [
                {"table_name": t, "value_digest": m.value_digest, "as_of": m.at}
                for t, m in history.materialized.items()
                if m.body["key"]
            ]
        )
        facts = pl.DataFrame(
            {"number": [self.number], "data_origin": ["study"], "ledger_seq": [history.head[0]]}
        )
        names = tables["table_name"].to_list()
        body = {"table": "publish.warehouse", "tables": dict.fromkeys(names), "key": []}
        publication = Publication(
            [*names, "audit.ledger"], derived={"audit.tables": tables, "audit.publication": facts}, facts=body
        )
        publish(self.warehouse, publication, self.number)


def raw_visits(world: World, delivered: Sequence[tuple[str, str, str]], first_line: int = 2) -> None:
    ids = ["-".join(row) for row in delivered]
    rows = pl.DataFrame(
        {"_row_id": ids, **{n: [r[i] for r in delivered] for i, n in enumerate(("who", "when", "pain"))}}
    )
    origin = pl.DataFrame(
        {
            "source": "visits",
            "_row_id": ids,
            "file_sha256": sha256_text(str(delivered)),
            "path": "visits.csv",
            "line": [line + first_line for line in range(len(ids))],
        }
    )
    world.put("raw.visits", ("_row_id",), rows, source_rows=origin)


def scores(world: World, values: Mapping[tuple[str, str], tuple[float | None, str]]) -> None:
    rows = pl.DataFrame(
        [{"who": w, "when": t, "value": v} for (w, t), (v, _) in values.items()],
        schema={"who": pl.String, "when": pl.String, "value": pl.Float64},
    )
    lineage = {
        "who": [("raw.visits", "who", "DIRECT", "IDENTITY")],
        "when": [("raw.visits", "when", "DIRECT", "IDENTITY")],
        "value": [("raw.visits", "pain", "DIRECT", "TRANSFORMATION")],
    }
    key = ("who", "when")
    links = [RowsOf("raw.visits", 'i.who = o.who AND i."when" = o."when"').link("marts.scores", key)]
    code = world.files["models/scores.sql"]
    world.put("marts.scores", key, rows, ("raw.visits",), lineage, code=code, links=links)


def change(world: World, rows: Sequence[Mapping[str, Any]], ids: Mapping[str, Sequence[str]]) -> None:
    frame = pl.DataFrame(
        [
            {"outcome": None, "stratum": None, "p_value": None, "p_holm": None, "family": None, **row}
            for row in rows
        ],
        schema={"outcome": pl.String, "stratum": pl.String, "p_value": pl.Float64, "p_holm": pl.Float64,
                "family": pl.String},
    )  # fmt: skip
    fed = [("marts.scores", "value", "DIRECT", "AGGREGATION")]
    lineage = {"outcome": [], "stratum": [], "p_value": fed, "p_holm": fed, "family": []}
    code = world.files["stats.py"] + str(world.libraries)
    used = ", ".join(
        f"('{o}', '{i.split('-')[0]}', '{i.split('-')[1]}')" for o, named in ids.items() for i in named
    )
    met = 'u.outcome = o.outcome AND i.who = u.who AND i."when" = u.seen'
    key = ("outcome", "stratum")
    links = [
        RowsOf("marts.scores", met, f", (VALUES {used}) AS u(outcome, who, seen)").link("stats.change", key)
    ]
    world.put("stats.change", key, frame, ("marts.scores",), lineage, ("outcomes",), code, links=links)


ROWS = [
    {"outcome": "pain", "p_value": 0.04, "p_holm": 0.08, "family": "primary"},
    {"outcome": "sleep", "p_value": 0.05, "p_holm": 0.08, "family": "primary"},
    {"outcome": "other", "p_value": 0.5},
]
IDS = {"pain": ["S1-w0-8", "S1-w4-5"], "sleep": ["S2-w0-7", "S2-w4-6"], "other": ["S2-w0-7"]}
VALUES = {(w, t): (float(v), f"{w}-{t}-{v}") for w, t, v in DELIVERED}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.ensure()
    return home


@pytest.fixture
def world(home: Home) -> Iterator[World]:
    """A world that was published once."""
    with open_warehouse(home, "test-run") as warehouse:
        world = World(warehouse)
        world.begin()
        raw_visits(world, DELIVERED)
        scores(world, VALUES)
        change(world, ROWS, IDS)
        world.publish()
        yield world


def after(world: World, step: Callable[[], None]) -> Diff:
    """What differs after one more publication."""
    world.begin()
    step()
    world.publish()
    known = snapshots_of(fold(world.warehouse.records()))
    return diff(world.warehouse.home, known[-2], known[-1])


def table_of(found: Diff, name: str) -> Table:
    return next(table for table in found.tables if table.table == name)


def why(found: Diff, numbers: Sequence[int]) -> list[Reason]:
    return [reason for reason in found.reasons if reason.id in numbers]


def kinds(found: Diff, table: str) -> dict[tuple[Any, ...], dict[str, list[str]]]:
    """Key to column to the kinds of its reasons."""
    return {
        tuple(row.key.values()): {c.column: [r.kind for r in why(found, c.reasons)] for c in row.cells}
        for row in table_of(found, table).rows
    }


def test_a_cell_is_followed_through_links_to_the_rows_that_used_it(world):
    delivered = [("S1", "w0", "8"), ("S1", "w4", "2"), *DELIVERED[2:]]

    def corrected() -> None:
        raw_visits(world, delivered, first_line=3)
        scores(world, {**VALUES, ("S1", "w4"): (2.0, "S1-w4-2")})
        change(world, [{**ROWS[0], "p_value": 0.01}, *ROWS[1:]], {**IDS, "pain": ["S1-w0-8", "S1-w4-2"]})

    found = after(world, corrected)
    assert [reason.text for reason in found.reasons] == ["visits.csv:4 (line 3 before) pain: 5 -> 2"]
    assert kinds(found, "stats.change") == {("pain", None): {"p_value": ["source"]}}
    assert [(table.table, dict(table.counts)) for table in found.tables] == [
        ("raw.visits", {"changed": 1}), ("marts.scores", {"changed": 1}), ("stats.change", {"changed": 1}),
    ]  # fmt: skip
    assert not found.conclusions


def test_rows_that_only_moved_in_their_file_change_nothing(world):
    assert after(world, lambda: raw_visits(world, list(reversed(DELIVERED)))).tables == []


@pytest.mark.parametrize(
    ("delivered", "text", "counts"),
    [
        (DELIVERED[:3], "visits.csv:5 row removed (S2, w4, 6)", {"removed": 1}),
        ([*DELIVERED, ("S3", "w0", "9")], "visits.csv:6 row added (S3, w0, 9)", {"added": 1}),
        ([*DELIVERED[:3], ("S2", "w8", "6")], "visits.csv:5 when: w4 -> w8", {"changed": 1}),
    ],
)
def test_an_added_a_removed_and_a_renamed_row_are_told_apart(world, delivered, text, counts):
    found = after(world, lambda: raw_visits(world, delivered))
    assert [reason.text for reason in found.reasons] == [text]
    assert dict(table_of(found, "raw.visits").counts) == counts


def test_an_adjusted_p_value_that_moved_with_its_family_says_which_member(world):
    def moved() -> None:
        raw_visits(world, [("S1", "w0", "8"), ("S1", "w4", "2"), *DELIVERED[2:]])
        scores(world, {**VALUES, ("S1", "w4"): (2.0, "S1-w4-2")})
        rows = [
            {**ROWS[0], "p_value": 0.01, "p_holm": 0.02}, {**ROWS[1], "p_holm": 0.045}, ROWS[2],
        ]  # fmt: skip
        change(world, rows, {**IDS, "pain": ["S1-w0-8", "S1-w4-2"]})

    found = after(world, moved)
    assert kinds(found, "stats.change") == {
        ("pain", None): {"p_value": ["source"], "p_holm": ["source"]},
        ("sleep", None): {"p_holm": ["family"]},
    }
    family = next(reason for reason in found.reasons if reason.kind == "family")
    assert "family=primary" in family.text
    assert family.facts["members"] == [
        {"key": {"outcome": "pain", "stratum": None}, "old": 0.04, "new": 0.01}
    ]
    assert [(c.key["outcome"], c.column, c.text) for c in found.conclusions] == [
        ("pain", "p_holm", "p_holm is now below 0.05"), ("sleep", "p_holm", "p_holm is now below 0.05"),
    ]  # fmt: skip


def test_a_row_that_was_estimated_anew_has_the_cause_beside_its_family(world):
    def estimated() -> None:
        raw_visits(world, [("S1", "w0", "8"), ("S1", "w4", "2"), *DELIVERED[2:]])
        scores(world, {**VALUES, ("S1", "w4"): (2.0, "S1-w4-2")})
        rows = [
            {**ROWS[0], "p_value": 0.01, "p_holm": 0.02},
            {**ROWS[1], "p_value": 0.02, "p_holm": 0.02},
            ROWS[2],
        ]
        change(world, rows, {**IDS, "pain": ["S1-w0-8", "S1-w4-2"]})

    found = after(world, estimated)
    assert kinds(found, "stats.change") == {
        ("pain", None): {"p_value": ["source"], "p_holm": ["source", "family"]},
        ("sleep", None): {"p_value": ["source"], "p_holm": ["source", "family"]},
    }


def test_a_changed_model_and_a_changed_library_are_named(world):
    def upgraded() -> None:
        change(world, [{**ROWS[0], "p_value": 0.06}, *ROWS[1:]], IDS)

    world.libraries = {"scipy": "1.15"}
    found = after(world, upgraded)
    assert [(r.kind, r.text) for r in found.reasons] == [("library", "library scipy: 1.14 -> 1.15")]
    assert [c.text for c in found.conclusions] == ["p_value is no longer below 0.05"]

    world.files = {**world.files, "models/scores.sql": "2"}

    def edited() -> None:
        scores(world, {**VALUES, ("S1", "w4"): (5.5, "S1-w4-5")})
        change(world, [{**ROWS[0], "p_value": 0.03}, *ROWS[1:]], IDS)

    found = after(world, edited)
    assert [(r.kind, r.text) for r in found.reasons] == [("code", "code changed: models/scores.sql")]
    assert kinds(found, "stats.change") == {("pain", None): {"p_value": ["code"]}}


def test_two_tables_of_statistics_with_the_same_key_are_two_conclusions(world):
    def tested(p_value: float) -> None:
        for table in ("stats.one", "stats.other"):
            world.put(table, ("outcome",), pl.DataFrame({"outcome": ["pain"], "p_value": [p_value]}))

    after(world, lambda: tested(0.06))
    found = after(world, lambda: tested(0.03))
    assert [(c.table, c.also_in) for c in found.conclusions] == [("stats.one", ()), ("stats.other", ())]


def test_a_key_of_study_yaml_is_named_with_line_old_and_new(world):
    world.study = STUDY.replace("{id: sleep, better: lower}", "{id: sleep, better: higher}")
    found = after(world, lambda: change(world, [ROWS[0], {**ROWS[1], "p_value": 0.9}, ROWS[2]], IDS))
    assert [reason.text for reason in found.reasons] == [
        "study.yaml:5 outcomes[sleep].better: lower -> higher"
    ]


def test_only_the_entry_that_a_table_depends_on_counts_for_it(world):
    world.study = STUDY + "contrasts:\n  - {id: c1, level: a}\n  - {id: c2, level: a}\n"
    one = {"study_keys": ("contrasts.c1",), "key": ("k",)}
    after(world, lambda: world.put("stats.c", rows=pl.DataFrame({"k": [1], "v": [1.0]}), **one))
    world.study = world.study.replace("level: a", "level: b")
    found = after(world, lambda: world.put("stats.c", rows=pl.DataFrame({"k": [1], "v": [2.0]}), **one))
    assert [reason.facts["key"] for reason in found.reasons] == ["contrasts[c1].level"]


def test_a_change_without_any_recorded_cause_is_said_to_have_none(world):
    found = after(world, lambda: change(world, [ROWS[0], {**ROWS[1], "p_value": 0.9}, ROWS[2]], IDS))
    assert [reason.kind for reason in found.reasons] == ["unexplained"]


def test_a_missing_value_a_nan_and_a_new_null_key_are_compared_as_values(world):
    def other() -> None:
        scores(world, {**VALUES, ("S1", "w4"): (None, "S1-w4-5"), ("S2", "w4"): (float("nan"), "S2-w4-6")})

    found = after(world, other)
    cells = {
        row.key["who"]: (row.cells[0].old, row.cells[0].new) for row in table_of(found, "marts.scores").rows
    }
    assert cells["S1"] == (5.0, None)
    assert cells["S2"][1] != cells["S2"][1]
    assert after(world, other).tables == []


def test_many_changed_rows_are_told_together(world):
    many = [(f"S{n}", "w0", str(n % 11)) for n in range(500)]
    found = after(world, lambda: raw_visits(world, many))
    assert [reason.text for reason in found.reasons] == ["raw.visits: 500 delivered rows changed"]


def test_a_table_that_only_one_side_has_is_listed_as_such(world):
    found = after(world, lambda: world.put("stats.more", ("k",), pl.DataFrame({"k": [1, 2]})))
    assert [(t.table, t.status, dict(t.counts)) for t in found.tables] == [
        ("stats.more", "added", {"added": 2})
    ]


def test_a_gene_that_leaves_the_significant_set_of_its_contrast_is_a_conclusion(world, capsys):
    def genes(padj: Sequence[float | None], alpha: float) -> None:
        world.put("expression.contrasts", ("contrast",), pl.DataFrame({"contrast": ["c"], "alpha": [alpha]}))
        frame = pl.DataFrame(
            {"contrast": "c", "gene_id": ["g1", "g2", "g3"], "pvalue": [0.01, 0.02, 0.03], "padj": padj},
            schema_overrides={"padj": pl.Float64},
        )
        significant = frame.filter(pl.col("padj") < alpha)
        world.put("expression.stability_c", ("contrast", "gene_id"), significant)
        world.put("expression.fit_c", ("contrast", "gene_id"), frame)
        world.put("expression.de_results", ("contrast", "gene_id"), frame)

    after(world, lambda: genes([0.01, 0.08, 0.2], 0.1))
    found = after(world, lambda: genes([0.01, 0.12, None], 0.1))
    (moved,) = found.conclusions
    assert (moved.table, moved.key["gene_id"]) == ("expression.de_results", "g2")
    assert (moved.old, moved.new, moved.text) == (0.08, 0.12, "padj is no longer below 0.1")
    assert moved.also_in == ("expression.fit_c", "expression.stability_c")
    print_conclusions(found.conclusions)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "padj" in line]
    assert "0.08 -> 0.12, padj is no longer below 0.1" in line
    assert line.endswith("(also in expression.fit_c, expression.stability_c)")
    found = after(world, lambda: genes([0.01, 0.12, None], 0.005))
    assert [(c.key["gene_id"], c.old, c.new) for c in found.conclusions] == [("g1", 0.01, 0.01)]
