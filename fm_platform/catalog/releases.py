"""``fm export tables``: published tables as files outside the home.

Belongs here: which tables may leave, and writing them. Does not belong here: k-anonymity and pseudonyms
themselves (``privacy``), options and printing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from fm_platform.catalog.asset import Asset
from fm_platform.catalog.graph import Catalog
from fm_platform.catalog.privacy_tags import FOR_THE_SITE
from fm_platform.errors import InputError
from fm_platform.reporting.csv import table_csv
from fm_platform.warehouse.home import Home, write_atomically
from fm_platform.warehouse.names import relation
from fm_platform.warehouse.reader import Published, open_published

SCHEMAS = ("report", "stats", "marts", "privacy", "expression")
"""What may leave: results, and rows that name nobody. Delivered rows and what was set aside stay."""


@dataclass(frozen=True)
class Released:
    """One table that was written."""

    table: str
    path: str
    rows: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Release:
    """What an export wrote."""

    tables: tuple[Released, ...]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def release(
    catalog: Catalog, home: Home, names: Sequence[str], folder: Path, *, form: str = "csv"
) -> Release:
    """Write tables of the publication to a folder.

    Args:
        catalog: The study's catalog.
        home: Its home.
        names: Tables; none stands for the report's.
        folder: Where the files go, ``<schema>.<table>.<form>`` each.
        form: ``csv`` or ``parquet``.

    Raises:
        InputError: A table that is not there, or that does not leave the home.
    """
    with open_published(home) as published:
        assets = [_asset(catalog, published, name) for name in names] or _of_the_report(catalog, published)
        frames = [(asset, _rows(published, asset)) for asset in assets]
    written = []
    for asset, frame in frames:
        path = folder / f"{asset.table}.{form}"
        write_atomically(path, _content(frame, asset, form, synthetic=catalog.study.study.synthetic))
        written.append(Released(asset.table, str(path), frame.height, tuple(frame.columns)))
    return Release(tuple(written))


def _of_the_report(catalog: Catalog, published: Published) -> list[Asset]:
    there = _published_tables(published)
    return [
        asset
        for asset in catalog.in_order()
        if asset.table.startswith("report.") and asset.table not in FOR_THE_SITE and asset.table in there
    ]


def _asset(catalog: Catalog, published: Published, name: str) -> Asset:
    published.schema(name)
    asset = catalog.assets.get(name)
    if asset is None or name.split(".", maxsplit=1)[0] not in SCHEMAS or name in FOR_THE_SITE:
        raise InputError(
            f"{name} does not leave the home",
            mend=f"export tables of {', '.join(SCHEMAS)}; data queries go to the site with `fm queries --csv`",
        )
    return asset


def _published_tables(published: Published) -> set[str]:
    names = published.query("SELECT schema_name || '.' || table_name AS name FROM duckdb_tables()")
    return set(names["name"])


def _rows(published: Published, asset: Asset) -> pl.DataFrame:
    """A published table in key order, without the platform's own columns."""
    names = [name for name in published.schema(asset.table) if not name.startswith("_")]
    frame = published.query(f"SELECT * FROM {relation(asset.table, 'warehouse')}").select(names)
    return frame.sort(asset.key, nulls_last=False)


def _content(frame: pl.DataFrame, asset: Asset, form: str, *, synthetic: bool) -> bytes:
    key = [name for name in asset.key if name in frame.columns]
    if form == "csv":
        return table_csv(frame, key, synthetic=synthetic).encode()
    import io

    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
