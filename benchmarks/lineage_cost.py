"""What row provenance, column lineage and explaining cost, against the same work without them.

    python benchmarks/lineage_cost.py [--patients 10000] [--models 500] [--repeats 5]

1. Simulated patients (copies of the demo's) are refreshed by command. Printed: its peak memory; the size of the
   warehouse beside that of the same tables without links; then seconds by the clock and of the processor for explaining
   a p-value over all patients and a cell of one, and for the impact of one patient, each beside an interpreter that
   opens the same file with DuckDB alone.
2. Every SQL model of the demo is run as its author wrote it, alone and with the derivation of its link, in turns; then
   again for the simulated patients. Printed: totals by the clock and in processor time, what the links take as text
   beside the rows they link, and what it costs to follow every link of a table one step.
3. Generated models (12 columns, two CTEs) are loaded with their whole column lineage, first and from the cache.

The commands come first: a child's peak memory counts that of the process it was started from.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import duckdb
import numpy as np

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.session import Session, open_session
from fm_platform.lineage.graph import upstream_of
from fm_platform.sql.cache import Cache
from fm_platform.sql.links import link_query
from fm_platform.sql.loader import load_models
from fm_platform.sql.tracing import trace_models
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.names import quoted_table, relation
from fm_platform.warehouse.reader import open_published
from fm_platform.warehouse.records import ROWS, Marks

TEXT = """sum(strlen("sql") + coalesce(strlen(marks), 0))"""
COMMAND = "from fm_platform.cli import main; main()"
ALONE = "import sys, duckdb; duckdb.connect(sys.argv[1], read_only=True).sql('SELECT 1').fetchall()"
DEMO = Path(__file__).resolve().parents[1] / "data" / "demo"
CLINICAL = ("clinical/participants.csv", "clinical/visits.csv")


def simulate(folder: Path, patients: int) -> Path:
    """The clinical half of the demo, its patients repeated under new names."""
    text = (DEMO / "study.yaml").read_text(encoding="utf-8")
    (folder / "clinical").mkdir(parents=True)
    (folder / "study.yaml").write_text(text[: text.index("expression:")], encoding="utf-8")
    for name in CLINICAL:
        with (DEMO / name).open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        subject = next(at for at, column in enumerate(header) if column.startswith("subject"))
        subjects = list(dict.fromkeys(row[subject] for row in rows))
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            for copy in range(-(-patients // len(subjects))):
                for row in rows:
                    if copy * len(subjects) + subjects.index(row[subject]) < patients:
                        writer.writerow([*row[:subject], f"{row[subject]}-{copy:05d}", *row[subject + 1 :]])
    return folder


@contextlib.contextmanager
def built(study: Path, home: Path) -> Iterator[Session]:
    """A session in which everything that SQL models read, and the models, have been made."""
    catalog = build_catalog(study)
    wanted = {asset.table for asset in catalog.assets.values() if asset.model is not None}
    wanted |= {table for model in wanted for table in upstream_of(model, catalog.assets)}
    with open_session(catalog, Home(home), "benchmark") as session:
        for asset in catalog.in_order():
            if asset.table in wanted:
                session.materialize(asset.table)
        yield session


def compare(session: Session, repeats: int) -> None:
    """Every model alone, and with the derivation of its link: seconds by the clock and of the processor."""
    connection = session.warehouse.connection
    spent = np.zeros((2, 2, repeats))
    for asset in session.catalog.in_order():
        if asset.model is None:
            continue
        schemas = {table: session.warehouse.schema(table) for table in asset.model.refs}
        sql = asset.model.sql
        for turn in range(repeats):
            for form in range(2):
                begun = time.perf_counter(), time.process_time()
                if form:
                    link_query(asset.model, schemas, quoted_table)
                connection.execute(f"create or replace temp table measured as {sql}")
                spent[0, form, turn] += time.perf_counter() - begun[0]
                spent[1, form, turn] += time.process_time() - begun[1]
    for name, times in zip(("clock", "processor"), spent, strict=True):
        alone, linked = np.median(times, axis=1)
        print(f"  {name:<10} alone {alone:7.3f} s   with link {linked:7.3f} s   ratio {linked / alone:.2f}")


def sizes(session: Session) -> None:
    """What links take beside the tables they link, and what following them all costs."""
    connection = session.warehouse.connection
    texts = connection.sql(f"select {TEXT} from fm.audit.links").fetchone()[0]
    models = [asset.table for asset in session.catalog.in_order() if asset.model is not None]
    rows = sum(session.warehouse.query(f"select count(*) from {relation(table)}").item() for table in models)
    marks, begun = 0, time.perf_counter()
    connection.execute("use fm")
    for sql, told in connection.sql(
        'select "sql", marks from audit.links where input_table is null'
    ).fetchall():
        rows_behind = Marks.of_json(told).sql(ROWS)
        marks += connection.sql(f"select coalesce(sum(len({rows_behind})), 0) from ({sql}) as q").fetchone()[
            0
        ]
    connection.execute("use memory")
    print(
        f"  {rows:,} rows; links: {texts / 2**10:.0f} KiB of text; all followed one step: {marks:,} rows of inputs "
        f"in {time.perf_counter() - begun:.2f} s"
    )


def generate(folder: Path, count: int) -> Path:
    """A folder of models that read each other: twelve columns, a join and a grouping in two CTEs."""
    documents: dict[int, list[str]] = {}
    (folder / "marts").mkdir(parents=True)
    names = [f"c{at}" for at in range(10)]
    for number in range(count):
        source = f"{{{{ ref('m{number - 10:04d}') }}}}" if number >= 10 else "{{ source('raw', 'visits') }}"
        own = ",\n        ".join(f"coalesce(v.{name}, v.c0) as {name}" for name in names)
        cases = ",\n    ".join(
            f"case when a.{name} > {at} then a.{name} else g.n end as {name}" for at, name in enumerate(names)
        )
        (folder / "marts" / f"m{number:04d}.sql").write_text(
            f"with a as (\n    select\n        v.subject,\n        {own}\n    from {source} as v\n"
            "    where v.c1 is not null\n),\n"
            "g as (\n    select a.subject, count(distinct a.c1) as n, max(a.c2) as top from a group by a.subject\n)\n"
            f"select\n    a.subject,\n    g.top,\n    {cases}\nfrom a\njoin g on g.subject = a.subject\n"
        )
        described = "".join(
            f"\n      - {{name: {name}, description: Column {name}.}}" for name in ("subject", "top", *names)
        )
        documents.setdefault(number // 50, []).append(
            f"\n  - name: m{number:04d}\n    description: Model {number}.\n"
            f"    meta: {{key: [subject]}}\n    columns:{described}"
        )
    for part, models in documents.items():
        (folder / "marts" / f"part{part}.yml").write_text(f"version: 2\nmodels:{''.join(models)}\n")
    return folder


def load(folder: Path, cache: Cache) -> str:
    """How long it takes to load every model of a folder with its column lineage."""
    begun = time.perf_counter(), time.process_time()
    models = load_models(folder, (), cache)
    traced = trace_models(models, {}, cache)
    assert all(len(columns) == 12 for columns in traced.values())
    clock, processor = time.perf_counter() - begun[0], time.process_time() - begun[1]
    return f"{clock:.1f} s by the clock, {processor:.1f} s of the processor"


class Spent(NamedTuple):
    """What a process took: seconds by the clock and of the processor, peak memory in MiB."""

    clock: float
    processor: float
    peak: float


def spent(program: str, *arguments: str | Path) -> Spent:
    """What a Python program takes with these arguments."""
    begun = time.perf_counter()
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))} ended with {child.returncode}")
    clock = time.perf_counter() - begun
    return Spent(clock, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**10)


def bytes_without_links(published: Path) -> int:
    """The size of a DuckDB file that holds the same tables, but no link."""
    with tempfile.TemporaryDirectory() as name, duckdb.connect() as connection:
        alone = Path(name) / "alone.duckdb"
        connection.execute(f"ATTACH '{published}' AS one (READ_ONLY)")
        block = connection.sql(
            "SELECT block_size FROM pragma_database_size() WHERE database_name = 'one'"
        ).fetchone()[0]
        connection.execute(f"ATTACH '{alone}' AS other (BLOCK_SIZE {block})")
        for schema, table in connection.sql(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'one' "
            "AND (schema_name, table_name) <> ('audit', 'links')"
        ).fetchall():
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS other."{schema}"')
            connection.execute(f'CREATE TABLE other."{schema}"."{table}" AS FROM one."{schema}"."{table}"')
        connection.execute("CHECKPOINT other; DETACH other")
        return alone.stat().st_size


def commands(study: Path, home: Path, repeats: int) -> None:
    """A refresh, and questions to what it published."""
    refreshed = spent(COMMAND, "refresh", "--study", study, "--home", home)
    published = Home(home).published
    with open_published(Home(home)) as opened:
        text = opened.query(f"select {TEXT} from audit.links").item()
        subject = opened.query("select min(subject_id) from staging.stg_subjects").item()
    size, alone = published.stat().st_size, bytes_without_links(published)
    print(f"  refresh: {refreshed.processor:.1f} s of the processor, peak {refreshed.peak:,.0f} MiB")
    print(
        f"  warehouse {size / 2**20:.1f} MiB, the same tables without links {alone / 2**20:.1f} MiB; links "
        f"{text / 2**10:.0f} KiB of text, {text / alone:.2%} of the tables"
    )
    place = ("--home", home)
    change = ("--where", "outcome=fiqr_total", "--where", "visit=week_12")
    questions: dict[str, tuple[str | Path, ...]] = {
        "DuckDB alone: SELECT 1": (ALONE, published),
        "fm query SELECT 1": (COMMAND, "query", "SELECT 1", *place),
        "explain a cell of one patient": (
            COMMAND, "explain", "marts.participants", "--where", f"subject_id={subject}", "--column", "age", *place,
        ),
        "explain a p-value over all": (
            COMMAND, "explain", "report.symptom_change", *change, "--where", "stratum=", "--column", "p_value", *place,
        ),
        "impact of one patient": (COMMAND, "impact", "--subject", subject, *place),
    }  # fmt: skip
    for name, question in questions.items():
        taken = [spent(str(question[0]), *question[1:]) for _ in range(repeats)]
        clock, processor = (median(times) for times in list(zip(*taken, strict=True))[:2])
        print(f"  {name:<30} {clock:6.2f} s by the clock {processor:6.2f} s of the processor", flush=True)


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"commands on {options.patients:,} patients, by command:", flush=True)
        commands(simulate(folder / "many", options.patients), folder / "refreshed", options.repeats)
        for label, patients in (("demo", 6), (f"{options.patients:,} patients", options.patients)):
            print(f"models of the {label}:")
            study = simulate(folder / f"study{patients}", patients)
            with built(study, folder / f"home{patients}") as session:
                compare(session, options.repeats)
                sizes(session)
        models, cache = generate(folder / "models", options.models), Cache(folder / "cache", "benchmark")
        print(
            f"{options.models} models with column lineage: {load(models, cache)} first,",
            end=" ",
            flush=True,
        )
        print(f"{load(models, cache)} from the cache")


if __name__ == "__main__":
    main()
