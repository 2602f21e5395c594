"""``fm export tables``: published tables as files outside the home.

Belongs here: judging the tables of one export and writing them. Does not belong here: which tables and columns there
are (``leaving_tables``), what left before (``earlier_releases``), k-anonymity itself (``privacy``), printing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from fm_platform.catalog.asset import Asset
from fm_platform.catalog.disclosure.earlier_releases import Earlier, NewRelease, facts_of
from fm_platform.catalog.disclosure.leaving import Door, Parcel, open_door
from fm_platform.catalog.disclosure.leaving_tables import leaving_table, named_asset, of_the_report
from fm_platform.catalog.graph import Catalog
from fm_platform.errors import CheckFailed, InputError
from fm_platform.privacy.departures import (
    Judgement,
    Leaving,
    few_people,
    require_k,
    with_bands,
)
from fm_platform.privacy.k_anonymity import BANDINGS, Banding
from fm_platform.reporting.csv import ORIGIN, REAL, SYNTHETIC, table_csv
from fm_platform.warehouse.home import Home

WIDTHS = {str(banding.width): banding for banding in BANDINGS if banding.width is not None}
"""Choices of ``--band``."""

Write = Callable[[Asset, pl.DataFrame, Sequence[str]], tuple[str, bytes]]
"""Gives name and content of the file of a table: its asset, its rows as they leave, the variables left out of them."""


@dataclass(frozen=True)
class Released:
    """One table that was written."""

    table: str
    path: str
    rows: int
    columns: tuple[str, ...]
    suppressed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """What an export wrote, how its quasi-identifiers were judged, and what its reason accepted.

    Attributes:
        tables: What was written.
        judgement: Of the quasi-identifiers that they carry together.
        accepted: What they tell together with earlier exports, in words.
        record: Number of the ledger record.
    """

    tables: tuple[Released, ...]
    judgement: Judgement
    accepted: tuple[str, ...]
    record: int

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
    reason: str | None = None,
) -> Release:
    """Write tables of the publication to a folder, once all of them may leave, and record them.

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
        suppress: Leave out what a table says about a quasi-identifier that describes too few people, or did in an
            earlier export.
        reason: Why, for the ledger; it accepts what the tables tell together with earlier exports.

    Raises:
        InputError: A table that is not there or does not leave the home; a column that identifies people.
        CheckFailed: Too few people share their quasi-identifiers, in these tables or together with what left before.
        EnvironmentFailure: Folder or home cannot be written, or another process holds the home's lock.
    """
    with open_door(home, reason) as door:
        chosen = [named_asset(catalog, door.published, name) for name in dict.fromkeys(names)]
        chosen = chosen or of_the_report(catalog, door.published)

        def write(asset: Asset, frame: pl.DataFrame, _: Sequence[str]) -> tuple[str, bytes]:
            return f"{asset.table}.{form}", _content(frame, asset, form, _origin(catalog))

        return let_tables_out(
            catalog, home, door, chosen, write, folder, banding=banding, without=without, suppress=suppress
        )


def let_tables_out(
    catalog: Catalog,
    home: Home,
    door: Door,
    chosen: Sequence[Asset],
    write: Write,
    folder: Path,
    *,
    form: str = "tables",
    banding: Banding = BANDINGS[0],
    without: Sequence[str] = (),
    suppress: bool = False,
) -> Release:
    """Judge published tables, and let what is written of them out by an open door. :func:`release` has the rest.

    Args:
        catalog: The study's catalog.
        home: Its home.
        door: The open door.
        chosen: The tables' assets.
        write: Gives the name and the content of a table's file.
        folder: Where the files go.
        form: The format, for the ledger.
        banding: How numeric quasi-identifiers are coarsened.
        without: Columns that are left out, wherever they occur.
        suppress: Leave variables out that describe too few people.

    Raises:
        InputError: A column identifies people.
        CheckFailed: Too few people share their quasi-identifiers, in these tables or together with what left before.
        EnvironmentFailure: The folder cannot be written.
    """
    tables = [leaving_table(catalog, door.published, asset, without) for asset in chosen]
    _require_declared(catalog, tables)
    judgement = require_k(tables, catalog.study.privacy.k, banding)
    earlier = Earlier(catalog, home, door)
    new = NewRelease(chosen, tables, banding, judgement.k_required)
    suppressed = _to_suppress(catalog, new, earlier, suppress)
    new = new.without(suppressed)
    accepted = earlier.require_together(new, accept=door.actor.reason is not None)
    contents, told, written = {}, {}, []
    for asset, own, variables in zip(chosen, new.tables, suppressed, strict=True):
        frame = with_bands(own, banding).frame.drop(without, strict=False)
        path, content = write(asset, frame, variables)
        contents[path] = content
        written.append(
            Released(asset.table, str(folder / path), frame.height, tuple(frame.columns), variables)
        )
        told[path] = {
            "table": asset.table,
            "rows": frame.height,
            "columns": frame.columns,
            **facts_of(own, banding, variables, without),
        }
    facts = {
        "tables": [asset.table for asset in chosen],
        "k": asdict(judgement),
        "declared": list(catalog.study.privacy.quasi_identifiers),
        "banding": banding.name,
        "without": list(without),
        "accepted": [entry.text for entry in accepted],
        "revealed": sorted({name for entry in accepted for name in entry.variables}),
    }
    record = door.let_out(Parcel(form, "tables", contents, facts, told), folder)
    return Release(tuple(written), judgement, tuple(entry.text for entry in accepted), record.seq)


def _require_declared(catalog: Catalog, tables: Sequence[Leaving]) -> None:
    if not catalog.study.privacy.quasi_identifiers and any(own.person for own in tables):
        raise InputError(
            "tables with a row a person leave only after their quasi-identifiers were declared",
            mend="name them in study.yaml, e.g. `privacy: {quasi_identifiers: [age, sex]}`",
        )


def _to_suppress(
    catalog: Catalog, new: NewRelease, earlier: Earlier, suppress: bool
) -> list[tuple[str, ...]]:
    """The variables that each table leaves without."""
    found = []
    for asset, own in zip(new.assets, new.tables, strict=True):
        few = few_people(own, catalog.study.privacy.quasi_identifiers, new.k)
        if few and not suppress:
            raise CheckFailed(
                f"{own.table} counts fewer people than may be told apart, by {', '.join(few)}",
                mend="leave these variables out of the table with --suppress",
            )
        more = {name for entry in earlier.of_counts(asset, own, new.k) for name in entry.variables}
        found.append(tuple(sorted({*few, *more})) if suppress else ())
    return found


def _origin(catalog: Catalog) -> str:
    return SYNTHETIC if catalog.study.study.synthetic else REAL


def _content(frame: pl.DataFrame, asset: Asset, form: str, origin: str) -> bytes:
    if form == "csv":
        key = [name for name in asset.key if name in frame.columns]
        return table_csv(frame, key, synthetic=origin == SYNTHETIC).encode()
    import io

    buffer = io.BytesIO()
    frame.with_columns(pl.lit(origin).alias(ORIGIN)).write_parquet(buffer)
    return buffer.getvalue()
