"""A miniature warehouse: study.yaml and text in, quarantine and staging out, on an in-memory DuckDB.

Belongs here: what the tests of this room share. Does not belong here: expectations about results.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import dedent

import duckdb
import polars as pl
import pytest

from fm_platform.catalog.delivered import with_optional_items
from fm_platform.instruments.registry import load_instruments
from fm_platform.sql.loader import load_models
from fm_platform.sql.widening import widened
from fm_platform.study.loading import load_study
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.declared import NUMBER
from fm_platform.validation.gate import GateResult, find, gate
from fm_platform.validation.headers import optional_columns
from fm_platform.validation.number_scales import number_types
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.staging_models import staging_models
from fm_platform.warehouse.names import identifier, relation
from fm_platform_tests.unit.sql.linked import create_linked


class MiniWarehouse:
    """One study with its raw tables."""

    def __init__(self, folder: Path, study_yaml: str, files: Mapping[str, str]) -> None:
        for name, text in {"study.yaml": study_yaml, **files}.items():
            (folder / name).write_text(dedent(text), encoding="utf-8")
        self.folder = folder
        self.study = load_study(folder)
        self.instruments = load_instruments(self.study)
        self.con = duckdb.connect()
        self.con.execute("attach ':memory:' as fm")
        for schema in ("raw", "quarantine", "staging", "audit"):
            self.con.execute(f"create schema fm.{schema}")

    def deliver(self, source: str, text: str) -> None:
        """Make ``raw.<source>`` from CSV text; row ids are the source's name and the line."""
        header, *rows = csv.reader(io.StringIO(dedent(text).strip() + "\n"))
        self.deliver_rows(source, header, rows)

    def deliver_rows(
        self, source: str, header: Sequence[str], rows: Sequence[Sequence[str]], ids: Sequence[str] = ()
    ) -> None:
        columns = {name: [row[position] for row in rows] for position, name in enumerate(header)}
        ids = ids or [f"{source}:{line}" for line in range(2, len(rows) + 2)]
        frame = pl.DataFrame(
            {"_row_id": ids, **columns}, schema=dict.fromkeys(["_row_id", *header], pl.String)
        )
        optional = optional_columns(self.study, self.instruments, source)
        self._store(f"raw.{source}", with_optional_items(frame, optional))

    def view(self, source: str) -> RawSource:
        columns = declared_columns(self.study, self.instruments)
        return RawSource(self.study, columns, source, relation)

    def find(self, source: str) -> list[tuple[str, str | None, str, str]]:
        """Findings as (row id, column, rule, reason)."""
        return find(self.con, self.view(source)).select("_row_id", "column", "rule", "reason").rows()

    def gate(self, source: str) -> GateResult:
        return gate(self.con, relation, self.study, self.instruments, source)

    def stage(self) -> None:
        """Fill quarantine and staging, with the delivered rows behind each row."""
        for source in self.study.clinical:
            self._store(f"quarantine.{source}", find(self.con, self.view(source)))
        empty = self.folder / "no_models"
        empty.mkdir(exist_ok=True)
        for loaded in load_models(empty, staging_models(self.study, self.instruments)):
            source = loaded.name.removeprefix("staging.")
            typed = source in self.study.clinical
            types = number_types(self.con, self.view(source)) if typed else {}
            model = widened(loaded, NUMBER, types)
            schemas = {table: self._schema(table) for table in model.refs}
            create_linked(self.con, model, schemas, relation)

    def rows(self, table: str, *columns: str) -> list[tuple[object, ...]]:
        listed = ", ".join(identifier(column) for column in columns)
        return sorted(self.con.sql(f"select {listed} from {relation(table)}").fetchall(), key=repr)

    def schema(self, table: str) -> dict[str, str]:
        return self._schema(table)

    def _schema(self, table: str) -> dict[str, str]:
        described = self.con.sql(f"describe {relation(table)}").fetchall()
        return {row[0]: row[1] for row in described}

    def _store(self, table: str, frame: pl.DataFrame) -> None:
        self.con.register("incoming", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
        self.con.execute(f"create or replace table {relation(table)} as select * from incoming")
        self.con.unregister("incoming")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., MiniWarehouse]]:
    """Makes a miniature warehouse from the text of a study.yaml and of further files of its folder."""
    made: list[MiniWarehouse] = []

    def make(study_yaml: str, **files: str) -> MiniWarehouse:
        named = {name.replace("_yaml", ".yaml"): text for name, text in files.items()}
        made.append(MiniWarehouse(tmp_path_factory.mktemp("study"), study_yaml, named))
        return made[-1]

    yield make
    for one in made:
        one.con.close()
