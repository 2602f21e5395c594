"""Recompute every number of published.csv from the CSV files in inputs/ and compare.

    python recompute.py [--without-de] [--without-refits]

Needs Python 3.11 with numpy and scipy; pydeseq2, pandas and formulaic for differential expression. Reads this folder
only, prints a table, writes result.csv and exits with 1 where a number differs, naming it.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from recomputing import change, description, printing, response  # noqa: E402
from recomputing.expression import TABLES as ANOTHER_ENGINE  # noqa: E402
from recomputing.expression import near, recompute_expression  # noqa: E402
from recomputing.people import Data  # noqa: E402
from recomputing.reading import Folder, Found, Row, read_csv  # noqa: E402

EQUAL, NEAR, DIFFERENT, SKIPPED = "yes", "near", "NO", "skipped"


def recompute(
    folder: Folder, published: list[Row], *, refits: bool, de: bool
) -> tuple[Found, dict[str, str]]:
    """All numbers that the inputs give, and the tables that were skipped, each with the reason."""
    found: Found = {}
    tables = {row["table"] for row in published}
    if folder.rows("visits"):
        methods = {row["id"].rpartition(".")[0]: row["method"] or "" for row in published}
        clinical(folder, found, tables, methods)
    description.data_quality(Data(folder), found)
    skipped = {}
    if folder.rows("contrasts"):
        skipped = recompute_expression(folder, found, published, refits=refits, de=de)
    return found, skipped


def clinical(folder: Folder, found: Found, tables: set[str], methods: dict[str, str]) -> None:
    """The numbers of the clinical half, as far as a table is asked for."""
    data = Data(folder)
    if any(table.endswith(".symptom_change") for table in tables):
        change.change(data, found)
    if "stats.sensitivity" in tables:
        change.sensitivity(data, found)
    if "stats.friedman" in tables:
        change.friedman(data, found, methods)
    if any(table.endswith(".between_arms") for table in tables):
        change.between_arms(data, found)
    judged = response.statuses(data)
    response.responders(data, found, judged)
    response.rates(data, found, judged)
    response.mcnemar(data, found, judged)
    response.responder_arms(data, found, judged)
    description.characteristics(data, found)
    description.completeness(data, found)
    description.recorded(data, found)
    if "stats.planning" in tables:
        description.planning(data, found, judged)


def compare(published: Iterable[Row], found: Found, skipped: dict[str, str]) -> list[Row]:
    """published.csv with what was recomputed beside it; what was not recomputed differs, unless it was skipped."""
    rows = []
    for row in published:
        why = (
            skipped.get(row["id"])
            or skipped.get(f"{row['table']}.{row['column']}")
            or skipped.get(row["table"])
        )
        value = found.get(row["id"])
        there = row["id"] in found and not (value is None and why)
        equal = EQUAL if there and printing.same(row, value) else SKIPPED if why and not there else DIFFERENT
        if equal == DIFFERENT and row["table"] in ANOTHER_ENGINE and consistent(row):
            equal = NEAR if near(row["column"], row["value"] or "", value) else DIFFERENT
        written = printing.write(value, row["precision"]) if there else ""
        note = "" if there else why or "not recomputed"
        exact = "" if value is None else repr(value) if isinstance(value, float) else str(value)
        rows.append({**row, "recomputed": written, "recomputed_value": exact, "equal": equal, "note": note})
    return rows


def consistent(row: Row) -> bool:
    """Whether the published text is that of the published exact value."""
    exact = row["value"] or ""
    return printing.same(row, exact if row["precision"] == "text" else float(exact) if exact else None)


def tell(rows: list[Row]) -> None:
    """A table by table of numbers, the numbers that differ, and what was skipped."""
    print(f"{'table':<28} {'numbers':>8} {'equal':>8} {'near':>8} {'differ':>8} {'skipped':>8}")
    for table in [*dict.fromkeys(row["table"] for row in rows), "all"]:
        own = [row["equal"] for row in rows if table in (row["table"], "all")]
        counts = "".join(f" {own.count(verdict):>8}" for verdict in (EQUAL, NEAR, DIFFERENT, SKIPPED))
        print(f"{table:<28} {len(own):>8}{counts}")
    if any(row["equal"] == NEAR for row in rows):
        print(
            "near: PyDESeq2 is another engine than DESeq2, whose rules the published numbers follow; see recompute.R"
        )
    for note in dict.fromkeys(row["note"] for row in rows if row["equal"] == SKIPPED):
        print(f"skipped: {note}")
    for row in rows:
        if row["equal"] == DIFFERENT:
            print(
                f"DIFFERENT {row['id']}: published {row['printed'] or '(none)'} ({row['value'] or 'no value'}), "
                f"recomputed {row['recomputed'] or '(none)'} {row['note']}".rstrip()
            )


def main() -> int:
    """Recompute, compare, write, tell."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--all", action="store_true", help="print every number")
    parser.add_argument("--without-de", action="store_true", help="leave differential expression out")
    parser.add_argument("--without-refits", action="store_true", help="leave refits without one sample out")
    asked = parser.parse_args()
    published = read_csv(HERE / "published.csv")
    found, skipped = recompute(
        Folder(HERE), published, refits=not asked.without_refits, de=not asked.without_de
    )
    rows = compare(published, found, skipped)
    with (HERE / "result.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]) if rows else ["id"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    if asked.all:
        for row in rows:
            print(f"{row['equal']:<8} {row['id']} = {row['printed']} | {row['recomputed']}")
    tell(rows)
    return 1 if any(row["equal"] == DIFFERENT for row in rows) else 0


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    sys.exit(main())
