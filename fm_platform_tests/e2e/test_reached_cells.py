"""What is said of a delivered row, cell by cell, against what changes when the row is corrected or removed.

Links say what can change: no cell changes that they did not name (recall 1); how many of the named ones do change is
printed (precision: a median of six may stay what it was without one of them). A trial says what does change: recall 1,
and nothing is named beside it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.trial.trial import Trial, try_out
from fm_platform.lineage.impact.origin import Origin, has_table, origin_of_line, origin_of_subject
from fm_platform.lineage.impact.reached import reached_cells, table_graph
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.names import identifier
from fm_platform.warehouse.reader import Published, open_file
from fm_platform_tests.e2e.soak import SOAK
from fm_platform_tests.e2e.test_chains import Deliveries, bring_up_to_date

LINES, SUBJECTS = (range(20), range(4)) if SOAK else (range(2), range(1))
REMEMBERS = "report.data_queries"
"""Asks new questions when something is lost, and keeps old ones."""


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Deliveries, Home]:
    folder = tmp_path_factory.mktemp("study")
    deliveries = Deliveries(folder, random.Random(7))
    deliveries.begin()
    home = Home(tmp_path_factory.mktemp("home") / "home")
    bring_up_to_date(deliveries, home)
    return deliveries, home


def cells_of(published: Published, table: str) -> tuple[dict[tuple[Any, ...], dict[str, Any]], list[str]]:
    """Key to the row's own columns, with its ``rowid``."""
    key = table_graph(published)[1][table]
    names = [name for name in published.schema(table) if not name.startswith("_") or name in key]
    listed = ", ".join(identifier(name) for name in names)
    rows = published.query(f"SELECT rowid AS fm_row, {listed} FROM {table}").to_dicts()
    return {tuple(row[part] for part in key): row for row in rows}, key


Cells = set[tuple[str, tuple[Any, ...], str]]
"""Table, key, column; the column is empty for a row that comes."""


def changed_cells(before: Published, after: Published) -> Cells:
    """Every cell that is another, or that goes with its row, and every row that comes."""
    found: Cells = set()
    for table in table_graph(before)[0]:
        if table == REMEMBERS or not has_table(before, table):
            continue
        was, key = cells_of(before, table)
        now, _ = cells_of(after, table)
        found |= {(table, at, "") for at in now.keys() - was.keys()}
        for at, row in was.items():
            for column in row.keys() - {"fm_row", *key}:
                if at not in now or now[at][column] != row[column]:
                    found.add((table, at, column))
    return found


def reached_by_links(published: Published, origin: Origin) -> Cells:
    """Every cell that links name."""
    found: Cells = set()
    for table, reached in reached_cells(published, origin).items():
        rows, key = cells_of(published, table)
        for at, row in rows.items():
            columns = reached.get(row["fm_row"], set())
            found |= {
                (table, at, column)
                for column in row.keys() - {"fm_row", *key}
                if "" in columns or column in columns
            }
    return {cell for cell in found if cell[0] != REMEMBERS}


def named_by_trial(trial: Trial, keys: dict[str, list[str]]) -> Cells:
    """Every cell that a trial finds to be another, or gone, and every row that comes."""
    found: Cells = set()
    for tried in trial.tables:
        for row in tried.rows:
            at = tuple(row.key[part] for part in keys[tried.table])
            columns = [""] if row.status == "added" else [cell.column for cell in row.cells]
            found |= {(tried.table, at, column) for column in columns if not column.startswith("_")}
    return found


def check(
    deliveries: Deliveries,
    home: Home,
    tmp_path: Path,
    find: Callable[[Published], Origin],
    change: Callable[[], None],
    values: dict[str, str] | None = None,
) -> None:
    """Both predictions against a clean home of the changed study.

    Args:
        deliveries: The study.
        home: Its home.
        tmp_path: Where the other home is made.
        find: The delivered rows that are asked about.
        change: Takes them away, or corrects them.
        values: What they are corrected to.
    """
    with open_file(home.published) as published:
        origin = find(published)
        reachable = reached_by_links(published, origin)
        keys = table_graph(published)[1]
    catalog = build_catalog(deliveries.folder, deliveries.folder / "models")
    tried = named_by_trial(try_out(catalog, home, origin, values=values), keys)
    people, visits = list(deliveries.people), [list(row) for row in deliveries.visits]
    change()
    deliveries.write()
    try:
        other = Home(tmp_path / "other")
        bring_up_to_date(deliveries, other)
        with open_file(home.published) as before, open_file(other.published) as after:
            changed = changed_cells(before, after)
    finally:
        deliveries.people, deliveries.visits = people, visits
        deliveries.write()
    print(  # noqa: T201
        f"{len(changed)} cells changed; precision of links {len(reachable & changed) / len(reachable):.3f}, "
        f"of the trial {len(tried & changed) / len(tried):.3f}"
    )
    assert {cell for cell in changed if cell[2]} <= reachable
    assert changed <= tried
    assert len(tried & changed) >= 0.95 * len(tried)


@pytest.mark.soak
@pytest.mark.parametrize("number", LINES)
def test_a_visit_that_is_removed_changes_what_was_predicted(delivered, number: int, tmp_path: Path) -> None:
    deliveries, home = delivered
    at = (number * 7 + 4) % len(deliveries.visits)
    check(
        deliveries,
        home,
        tmp_path,
        lambda published: origin_of_line(published, "visits.csv", at + 2),
        lambda: deliveries.visits.__delitem__(at),
    )


@pytest.mark.soak
@pytest.mark.parametrize("number", LINES)
def test_a_corrected_visit_changes_what_was_predicted(delivered, number: int, tmp_path: Path) -> None:
    deliveries, home = delivered
    at = (number * 5 + 1) % len(deliveries.visits)
    pain = str((int(deliveries.visits[at][3]) + 5) % 11)
    check(
        deliveries,
        home,
        tmp_path,
        lambda published: origin_of_line(published, "visits.csv", at + 2),
        lambda: deliveries.visits[at].__setitem__(3, pain),
        {"pain": pain},
    )


@pytest.mark.soak
@pytest.mark.parametrize("number", SUBJECTS)
def test_a_patient_who_is_removed_changes_what_was_predicted(delivered, number: int, tmp_path: Path) -> None:
    deliveries, home = delivered
    name = deliveries.people[number][0]

    def leave() -> None:
        deliveries.people = [row for row in deliveries.people if row[0] != name]
        deliveries.visits = [row for row in deliveries.visits if row[0] != name]

    check(deliveries, home, tmp_path, lambda published: origin_of_subject(published, name), leave)
