"""Published tables as they may leave the home: which ones, and what each of their columns is.

Belongs here: choosing and reading tables, pseudonyms, tags by column lineage. Does not belong here: judging them
(``privacy``), writing them (``releases``).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fm_platform.catalog.asset import Asset
from fm_platform.catalog.disclosure.assets import CLASSES
from fm_platform.catalog.disclosure.tags import FOR_THE_SITE
from fm_platform.catalog.graph import Catalog
from fm_platform.errors import InputError
from fm_platform.privacy.departures import Leaving
from fm_platform.privacy.pseudonyms import VARIABLE, key_id, pseudonym_key, pseudonyms
from fm_platform.privacy.tags import Tags
from fm_platform.warehouse.names import relation
from fm_platform.warehouse.reader import Published
from fm_platform.warehouse.records import ColumnInput, ColumnLineage

SCHEMAS = ("report", "stats", "marts", "privacy")
RESULTS = ("expression.de_results", "expression.contrasts")
"""What may leave: results, and rows that name nobody. Delivered rows, samples and what was set aside stay."""
STAYING = FOR_THE_SITE | {CLASSES}
"""What stays nevertheless: questions to the site, and every combination of quasi-identifiers with its few people."""
_PSEUDONYM = "pseudonym"


def of_the_report(catalog: Catalog, published: Published) -> list[Asset]:
    """The report's tables that a publication has, less those that go to the study site."""
    there = set(published.query("SELECT schema_name || '.' || table_name AS n FROM duckdb_tables()")["n"])
    return [
        asset
        for asset in catalog.in_order()
        if asset.table.startswith("report.") and asset.table not in FOR_THE_SITE and asset.table in there
    ]


def named_asset(catalog: Catalog, published: Published, name: str) -> Asset:
    """The asset of a table that may leave.

    Raises:
        InputError: It is not there, or does not leave the home.
    """
    published.schema(name)
    asset = catalog.assets.get(name)
    allowed = name.split(".", maxsplit=1)[0] in SCHEMAS or name in RESULTS
    if asset is None or not allowed or name in STAYING:
        raise InputError(
            f"{name} does not leave the home",
            mend=f"export tables of {', '.join(SCHEMAS)}, or {', '.join(RESULTS)}; "
            "data queries go to the site with `fm queries --csv`",
        )
    return asset


def leaving_table(catalog: Catalog, published: Published, asset: Asset, without: Sequence[str]) -> Leaving:
    """A published table in key order, with pseudonyms for subjects, and what its columns are.

    Args:
        catalog: The study's catalog.
        published: The open publication.
        asset: The table.
        without: Columns that will be left out.

    Raises:
        InputError: A column that stays identifies people.
    """
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
