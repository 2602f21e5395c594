"""What making a SQL model's table costs beside its author's SQL as a plain CREATE TABLE AS, model by model.

    python benchmarks/model_cost.py STUDY HOME [--repeats 5]

HOME holds the refreshed STUDY and is copied first. Plain SQL is the model's text as it was rendered, stored by CREATE
TABLE AS on the platform's own connection: the same DuckDB settings, input tables and database file. Each model is made
in turns, the best of the repeats in processor seconds: plain SQL; what the platform runs, compiled anew; that with its
types, column lineage and link, as `build_model` gives them. The last two add what depends on the text alone, not on the
rows, and is done once a process. Loading the models, checks, digests and the ledger are not in it.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.session import Session, open_session
from fm_platform.sql.lineage import column_lineage
from fm_platform.sql.links import link_query
from fm_platform.sql.model import SqlModel
from fm_platform.sql.number_types import check_types
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.names import quoted_table, relation

FORMS = ("plain SQL", "platform", "with link")


def derive(session: Session, model: SqlModel) -> None:
    """What `build_model` finds out about a model besides its rows."""
    schemas = {table: session.warehouse.schema(table) for table in model.refs}
    check_types(model, schemas)
    column_lineage(model, schemas)
    link_query(model, schemas, quoted_table)


def spent(session: Session, model: SqlModel, form: str) -> float:
    """Processor seconds of making a model's table once."""
    begun = time.process_time()
    sql = model.sql if form == "plain SQL" else model.compiled(relation)
    if form == "with link":
        derive(session, model)
    session.warehouse.connection.execute(f"create or replace table fm.measured as {sql}")
    return time.process_time() - begun


def measure(session: Session, repeats: int) -> None:
    """A line for each model, and the sum."""
    print(f"{'model':<34}{'rows':>9}" + "".join(f"{form:>11}" for form in FORMS) + "   ratios")
    session.warehouse.connection.execute("use fm")
    total = dict.fromkeys(FORMS, 0.0)
    for asset in session.catalog.in_order():
        if asset.model is None or not session.warehouse.exists(asset.table):
            continue
        times: dict[str, list[float]] = {form: [] for form in FORMS}
        for _ in range(repeats + 1):
            for form in FORMS:
                times[form].append(spent(session, asset.model, form))
        own = {form: min(taken) for form, taken in times.items()}
        rows = session.warehouse.query("select count(*) from fm.measured").item()
        total = {form: total[form] + own[form] for form in FORMS}
        print(line(asset.table, f"{rows:,}", own), flush=True)
    print(line("all", "", total))


def line(name: str, rows: str, taken: dict[str, float]) -> str:
    """Milliseconds of each form, and the ratios to plain SQL."""
    plain, platform, linked = (taken[form] for form in FORMS)
    cells = "".join(f"{1000 * taken[form]:>8.1f} ms" for form in FORMS)
    return f"{name:<34}{rows:>9}{cells}   {platform / plain:.2f} {linked / plain:.2f}"


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path)
    parser.add_argument("home", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = shutil.copytree(options.home, Path(folder) / "home")
        with open_session(build_catalog(options.study), Home(home), "benchmark") as session:
            measure(session, options.repeats)


if __name__ == "__main__":
    main()
