"""What making a SQL model's table costs beside its author's SQL as a plain CREATE TABLE AS, model by model.

    python benchmarks/model_cost.py STUDY HOME [--repeats 5]

HOME holds the refreshed STUDY and is copied first. Plain SQL is the model's text, stored by CREATE TABLE AS on the
platform's own connection: the same DuckDB settings, input tables and database file. Each model is made in turns, the
best of the repeats in processor seconds: plain SQL; what `build_model` gives, stored; that with its types, column
lineage and link found anew. These follow from the text and the columns alone, not from the rows, and are found once a
process. Loading the models, checks, digests and the ledger are not in it.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from fm_platform.catalog.asset import Step
from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.models import _compiled, build_model
from fm_platform.catalog.session import Session, open_session
from fm_platform.sql.model import SqlModel
from fm_platform.warehouse.home import Home

FORMS = ("plain SQL", "platform", "first")


def spent(session: Session, model: SqlModel, form: str) -> float:
    """Processor seconds of making a model's table once."""
    step = cast(Step, SimpleNamespace(warehouse=session.warehouse))
    if form == "first":
        _compiled.cache_clear()
    begun = time.process_time()
    sql = model.sql if form == "plain SQL" else build_model(step, model).rows
    session.warehouse.connection.execute(f"create or replace table fm.measured as {sql}")
    return time.process_time() - begun


def measure(session: Session, repeats: int) -> None:
    """A line for each model, and the sum."""
    print(f"{'model':<34}{'rows':>9}" + "".join(f"{form:>11}" for form in FORMS) + "   ratios")
    total = dict.fromkeys(FORMS, 0.0)
    for asset in session.catalog.in_order():
        if asset.model is None or not session.warehouse.exists(asset.table):
            continue
        times: dict[str, list[float]] = {form: [] for form in FORMS}
        for _ in range(repeats + 1):
            for form in reversed(FORMS):
                times[form].append(spent(session, asset.model, form))
        own = {form: min(taken) for form, taken in times.items()}
        rows = session.warehouse.query("select count(*) from fm.measured").item()
        total = {form: total[form] + own[form] for form in FORMS}
        print(line(asset.table, f"{rows:,}", own), flush=True)
    print(line("all", "", total))


def line(name: str, rows: str, taken: dict[str, float]) -> str:
    """Milliseconds of each form, and the ratios to plain SQL."""
    plain, platform, first = (taken[form] for form in FORMS)
    cells = "".join(f"{1000 * taken[form]:>8.1f} ms" for form in FORMS)
    return f"{name:<34}{rows:>9}{cells}   {platform / plain:.2f} {first / plain:.2f}"


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
