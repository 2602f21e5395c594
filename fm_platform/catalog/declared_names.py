"""Names of study.yaml that the delivered files do not have, found before anything runs.

Belongs here: which names are looked up for what is about to run, and which tables cannot be made because of one. Does
not belong here: the look-ups themselves (``validation.headers``, ``expression.designs.choice``), which the tables' own
builders use as well.

Only headers of clinical files and the sample sheet are read, and only for tables that are stale.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import polars as pl

from fm_platform.catalog.expression.assets import SAMPLES
from fm_platform.catalog.expression.fits import CONTRASTS
from fm_platform.catalog.graph import Catalog
from fm_platform.errors import InputError
from fm_platform.expression.designs.choice import check_names, levels_seen
from fm_platform.expression.designs.contrasts import contrast_error
from fm_platform.expression.designs.sizing import check_size_factors
from fm_platform.expression.tables import samples_of_sheet
from fm_platform.lineage.graph import downstream_of
from fm_platform.sources.delimited import read_text_table, with_lines
from fm_platform.sources.records import read_header, read_records
from fm_platform.sources.redcap.forms import FormSource
from fm_platform.study.model import Study
from fm_platform.validation.headers import require_columns
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.reader import open_published


@dataclass(frozen=True)
class WrongName:
    """A name that a file does not have.

    Attributes:
        tables: The tables that are made with it.
        error: What is wrong, where, and the mend.
    """

    tables: tuple[str, ...]
    error: InputError


def wrong_names(
    catalog: Catalog, stale: Collection[str], earlier: Callable[[], pl.DataFrame | None]
) -> list[WrongName]:
    """The names that would fail in the tables that are about to be made.

    Args:
        catalog: The study's assets.
        stale: The tables that are about to be made.
        earlier: Gives ``expression.contrasts`` as made before, for levels that are gone since; asked only where a
            level is in no sample.
    """
    return [*_clinical(catalog, stale), *_expression(catalog, stale, earlier)]


def hindered(catalog: Catalog, wrong: Sequence[WrongName]) -> set[str]:
    """The tables that cannot be made, and everything downstream of them."""
    tables = {table for found in wrong for table in found.tables}
    return tables.union(*(downstream_of(table, catalog.assets) for table in tables))


def published_contrasts(home: Home) -> pl.DataFrame | None:
    """``expression.contrasts`` as published; None where it is not."""
    try:
        with open_published(home) as published:
            return published.query(f"SELECT * FROM {CONTRASTS}")
    except InputError:
        return None


# -- clinical -----------------------------------------------------------------------------------------------------


def _clinical(catalog: Catalog, stale: Collection[str]) -> list[WrongName]:
    found = []
    for source, declared in catalog.study.clinical.items():
        made = [table for table in (f"raw.{source}", f"quarantine.{source}") if table in stale]
        if not made or isinstance(declared, FormSource):
            continue
        try:
            _check_header(catalog, source)
        except InputError as error:
            found.append(WrongName(tuple(made), error))
    return found


def _check_header(catalog: Catalog, source: str) -> None:
    study = catalog.study
    declared = study.clinical[source]
    path = study.resolve(declared.path, "clinical", source, "path", pick=declared.pick)
    name = path.relative_to(study.folder).as_posix()
    try:
        header = read_header(path, name, declared.sheet)
        require_columns(study, catalog.instruments, source, header, file=name)
    except InputError:
        whole = read_records(path, name, declared.sheet).rows[0]
        require_columns(study, catalog.instruments, source, whole, file=name)


# -- expression ---------------------------------------------------------------------------------------------------


def _expression(
    catalog: Catalog, stale: Collection[str], earlier: Callable[[], pl.DataFrame | None]
) -> list[WrongName]:
    study = catalog.study
    made = {
        index: tables
        for index, contrast in enumerate(study.contrasts)
        if (tables := _made_with(catalog, stale, f"contrasts.{contrast.id}"))
    }
    sized = _made_with(catalog, stale, "expression.size_factors")
    if study.expression is None or not (SAMPLES in stale or made or sized):
        return []
    try:
        samples = _sheet(study)
    except InputError as error:
        return [WrongName((SAMPLES,), error)]
    found = []
    try:
        check_size_factors(study, samples)
    except InputError as error:
        found.append(WrongName(sized, error))
    for index, tables in made.items():
        try:
            _check_contrast(study, index, samples, earlier)
        except InputError as error:
            found.append(WrongName(tables, contrast_error(study, index, error)))
    return found


def _made_with(catalog: Catalog, stale: Collection[str], key: str) -> tuple[str, ...]:
    return tuple(table for table in stale if key in catalog.assets[table].study_keys)


def _sheet(study: Study) -> pl.DataFrame:
    assert study.expression is not None
    declared = study.expression.samples
    path = study.resolve(declared.path, "expression", "samples", "path")
    table = read_text_table("samples", path, name=declared.path, row_names=declared.id)
    return samples_of_sheet(with_lines(table), study, file=declared.path)


def _check_contrast(
    study: Study, index: int, samples: pl.DataFrame, earlier: Callable[[], pl.DataFrame | None]
) -> None:
    """Check one contrast. Who withdrew still counts as there: what fails with everybody fails without them, too."""
    contrast, everybody = study.contrasts[index], study.withdrawals is None
    try:
        check_names(samples, contrast, cells=everybody)
    except InputError:
        before = earlier()
        if before is None:
            raise
        check_names(samples, contrast, seen_levels=levels_seen(before), cells=everybody)
