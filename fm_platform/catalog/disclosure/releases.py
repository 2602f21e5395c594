"""``fm export tables``: published tables as files outside the home.

Belongs here: which tables and columns may leave, and writing them. Does not belong here: k-anonymity and pseudonyms
themselves (``assets``), options and printing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from fm_platform.catalog.asset import Asset
from fm_platform.catalog.disclosure.tags import FOR_THE_SITE
from fm_platform.catalog.graph import Catalog
from fm_platform.errors import CheckFailed, InputError
from fm_platform.privacy.departures import (
    Judgement,
    Leaving,
    few_people,
    require_k,
    with_bands,
    without_variables,
)
from fm_platform.privacy.k_anonymity import BANDINGS, Banding
from fm_platform.privacy.pseudonyms import VARIABLE, key_id, pseudonym_key, pseudonyms
from fm_platform.privacy.tags import Tags
from fm_platform.reporting.csv import ORIGIN, REAL, SYNTHETIC, table_csv
from fm_platform.warehouse.home import Home, write_atomically
from fm_platform.warehouse.names import relation
from fm_platform.warehouse.reader import Published, open_published
from fm_platform.warehouse.records import ColumnInput, ColumnLineage

SCHEMAS = ("report", "stats", "marts", "privacy")
RESULTS = ("expression.de_results", "expression.contrasts")
"""What may leave: results, and rows that name nobody. Delivered rows, samples and what was set aside stay."""
WIDTHS = {str(banding.width): banding for banding in BANDINGS if banding.width is not None}
"""Choices of ``--band``."""
_PSEUDONYM = "pseudonym"


@dataclass(frozen=True)
class Released:
    """One table that was written."""

    table: str
    path: str
    rows: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Release:
    """What an export wrote, and how its quasi-identifiers were judged."""

    tables: tuple[Released, ...]
    judgement: Judgement

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def release(
    catalog: Catalog,
    home: Home,
    names: Sequence[str],
    folder: Path,
    *,
    form: str = "csv",
    banding: Banding = BANDINGS[0],
    without: Sequence[str] = (),
    suppress: bool = False,
) -> Release:
    """Write tables of the publication to a folder, once all of them may leave.

    Columns of the platform's own (``_row_ids`` leads back to delivered rows) are left out, subjects' ids become
    keyed pseudonyms, and the quasi-identifiers that all tables carry together are judged before a file is written.

    Args:
        catalog: The study's catalog.
        home: Its home.
        names: Tables; none stands for the report's.
        folder: Where the files go, ``<schema>.<table>.<form>`` each.
        form: ``csv`` or ``parquet``.
        banding: How numeric quasi-identifiers are coarsened.
        without: Columns that are left out, wherever they occur.
        suppress: Leave out what a table says about a quasi-identifier that describes too few people.

    Raises:
        InputError: A table that is not there or does not leave the home; a column that identifies people.
        CheckFailed: Too few people share their quasi-identifiers.
    """
    with open_published(home) as published:
        chosen = [_asset(catalog, published, name) for name in dict.fromkeys(names)]
        chosen = chosen or _of_the_report(catalog, published)
        tables = [_leaving(catalog, published, asset, without) for asset in chosen]
    declared, k = catalog.study.privacy.quasi_identifiers, catalog.study.privacy.k
    if not declared and any(own.person for own in tables):
        raise InputError(
            "tables with a row a person leave only after their quasi-identifiers were declared",
            mend="name them in study.yaml, e.g. `privacy: {quasi_identifiers: [age, sex]}`",
        )
    judgement = require_k(tables, k, banding)
    tables = [_few_left_out(own, declared, k, suppress) for own in tables]
    origin = SYNTHETIC if catalog.study.study.synthetic else REAL
    written = []
    for asset, own in zip(chosen, tables, strict=True):
        frame = with_bands(own, banding).frame.drop(without, strict=False)
        path = folder / f"{asset.table}.{form}"
        write_atomically(path, _content(frame, asset, form, origin))
        written.append(Released(asset.table, str(path), frame.height, tuple(frame.columns)))
    return Release(tuple(written), judgement)


def _of_the_report(catalog: Catalog, published: Published) -> list[Asset]:
    there = set(published.query("SELECT schema_name || '.' || table_name AS n FROM duckdb_tables()")["n"])
    return [
        asset
        for asset in catalog.in_order()
        if asset.table.startswith("report.") and asset.table not in FOR_THE_SITE and asset.table in there
    ]


def _asset(catalog: Catalog, published: Published, name: str) -> Asset:
    published.schema(name)
    asset = catalog.assets.get(name)
    allowed = name.split(".", maxsplit=1)[0] in SCHEMAS or name in RESULTS
    if asset is None or not allowed or name in FOR_THE_SITE:
        raise InputError(
            f"{name} does not leave the home",
            mend=f"export tables of {', '.join(SCHEMAS)}, or {', '.join(RESULTS)}; "
            "data queries go to the site with `fm queries --csv`",
        )
    return asset


def _leaving(catalog: Catalog, published: Published, asset: Asset, without: Sequence[str]) -> Leaving:
    """A published table in key order, with pseudonyms for subjects, and what its columns are."""
    names = [name for name in published.schema(asset.table) if not name.startswith("_")]
    frame = published.query(f"SELECT * FROM {relation(asset.table, 'warehouse')}").select(names)
    frame = frame.sort(asset.key)
    tags, lineages = Tags(catalog.study, catalog.instruments), _Lineages(published)
    person: str | None = _PSEUDONYM if _PSEUDONYM in names else None
    quasi = []
    for name in names:
        reached = {tag for *_, tag in tags.tagged_inputs(asset.table, name, lineages.of)}
        if tags.of(asset.table, name) == "identifier":
            person = name
            if key_id():
                frame = frame.with_columns(_pseudonymous(catalog, frame[name]))
            elif name not in without:
                raise InputError(
                    f"{asset.table} names its subjects",
                    column=name,
                    mend=f"set {VARIABLE} for pseudonyms, or leave the column out with --without {name}",
                )
        elif reached & {"identifier", "date", "unclassified"} and name not in without:
            raise InputError(
                f"{asset.table} holds what may identify people ({', '.join(sorted(reached))})",
                column=name,
                mend=f"leave the column out with --without {name}",
            )
        elif "quasi_identifier" in reached and name not in without:
            quasi.append(name)
    return Leaving(asset.table, frame, person, tuple(quasi))


def _pseudonymous(catalog: Catalog, subjects: pl.Series) -> pl.Series:
    known = subjects.drop_nulls().unique().to_list()
    made = pseudonyms(pseudonym_key(), catalog.study.study.id, known)
    return subjects.replace_strict(made, default=None, return_dtype=pl.String)


class _Lineages:
    """Column lineage as published."""

    def __init__(self, published: Published) -> None:
        self._published = published
        self._known: dict[str, ColumnLineage] = {}

    def of(self, table: str) -> ColumnLineage:
        """The lineage of a table's columns."""
        if table not in self._known:
            rows = self._published.query(
                "SELECT column_name, input_table, input_column, kind, transformation FROM audit.column_lineage "
                "WHERE table_name = ?",
                [table],
            )
            found: dict[str, tuple[ColumnInput, ...]] = {}
            for name, *entry in rows.iter_rows():
                found[name] = (*found.get(name, ()), ColumnInput(*entry))
            self._known[table] = found
        return self._known[table]


def _few_left_out(own: Leaving, declared: Sequence[str], k: int, suppress: bool) -> Leaving:
    few = few_people(own, declared, k)
    if not few:
        return own
    if suppress:
        return without_variables(own, few)
    raise CheckFailed(
        f"{own.table} counts fewer people than may be told apart, by {', '.join(few)}",
        mend="leave these variables out of the table with --suppress",
    )


def _content(frame: pl.DataFrame, asset: Asset, form: str, origin: str) -> bytes:
    if form == "csv":
        key = [name for name in asset.key if name in frame.columns]
        return table_csv(frame, key, synthetic=origin == SYNTHETIC).encode()
    import io

    buffer = io.BytesIO()
    frame.with_columns(pl.lit(origin).alias(ORIGIN)).write_parquet(buffer)
    return buffer.getvalue()
