"""``fm export define-xml`` and ``fm export ars``: what regulators read, brought to the door.

Belongs here: one function a format, what its record says, and the study's words that a publication does not hold. Does
not belong here: the formats (``lineage.exchange.cdisc``), options and printing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fm_platform.catalog.asset import Asset
from fm_platform.catalog.disclosure.leaving import Parcel, open_door
from fm_platform.catalog.disclosure.leaving_tables import named_asset
from fm_platform.catalog.disclosure.releases import Release, let_tables_out
from fm_platform.catalog.graph import Catalog
from fm_platform.errors import InputError
from fm_platform.instruments.wording import in_words
from fm_platform.lineage.exchange.cdisc.analysis_data import ADQS, ADSL, read_analysis_data
from fm_platform.lineage.exchange.cdisc.define_items import DATASETS, values_of_aval, variables
from fm_platform.lineage.exchange.cdisc.define_xml import define_xml
from fm_platform.lineage.exchange.published_inventory import published_inventory
from fm_platform.privacy.departures import SMALLEST_CLASS
from fm_platform.reporting.ars import reporting_event
from fm_platform.statistics.ard import ARD
from fm_platform.validation.columns import declared_columns
from fm_platform.warehouse.home import Home


@dataclass(frozen=True)
class Defined:
    """How much a Define-XML document describes."""

    datasets: int
    variables: int
    values: int
    results: int


def export_define_xml(catalog: Catalog, home: Home, out: Path, *, reason: str | None = None) -> Defined:
    """Write the Define-XML of the publication's analysis datasets: metadata, and no value of a person.

    Args:
        catalog: The study's catalog.
        home: Its home.
        out: The file.
        reason: Why, for the ledger.

    Raises:
        InputError: Nothing is published, or the publication has no analysis datasets.
        EnvironmentFailure: File or home cannot be written, or another process holds the home's lock.
    """
    with open_door(home, reason) as door:
        inventory = published_inventory(door.published)
        _require_datasets(inventory.tables)
        k = max(catalog.study.privacy.k, SMALLEST_CLASS)
        data = read_analysis_data(door.published, inventory, k, _scoring(catalog))
        described = [ADSL, ADQS, *dict.fromkeys(result.table for result in data.results)]
        parcel = Parcel("define-xml", "no rows", {out.name: define_xml(data)}, {"tables": described}, {})
        door.let_out(parcel, out.parent)
    return Defined(
        len(DATASETS),
        sum(len(variables(data, dataset)) for dataset in DATASETS),
        len(list(values_of_aval(data))),
        len(data.results),
    )


def export_ars(
    catalog: Catalog, home: Home, out: Path, *, suppress: bool = False, reason: str | None = None
) -> Release:
    """Write ``stats.ard`` as a reporting event of the Analysis Results Standard, judged as the table itself is.

    Args:
        catalog: The study's catalog.
        home: Its home.
        out: The JSON file.
        suppress: Leave variables out that describe too few people.
        reason: Why, for the ledger; it accepts what the results tell together with earlier exports.

    Raises:
        InputError: Nothing is published, or the publication has no results.
        CheckFailed: The results count too few people, alone or together with what left before.
        EnvironmentFailure: File or home cannot be written, or another process holds the home's lock.
    """
    with open_door(home, reason) as door:
        inventory = published_inventory(door.published)
        _require_datasets(inventory.tables)
        data = read_analysis_data(door.published, inventory, max(catalog.study.privacy.k, SMALLEST_CLASS))

        def write(_: Asset, rows: pl.DataFrame, left_out: Sequence[str]) -> tuple[str, bytes]:
            return out.name, reporting_event(data, rows, left_out)

        chosen = [named_asset(catalog, door.published, ARD)]
        return let_tables_out(catalog, home, door, chosen, write, out.parent, form="ars", suppress=suppress)


def _require_datasets(tables: Mapping[str, object]) -> None:
    if not {ADSL, ADQS} <= set(tables):
        raise InputError(
            f"this publication has no {ADSL} and {ADQS}",
            mend="declare a clinical half in study.yaml, or run `fm refresh`",
        )


def _scoring(catalog: Catalog) -> dict[str, str]:
    """How every score is computed and where its items are delivered."""
    columns = declared_columns(catalog.study, catalog.instruments)
    found = {}
    for use, instrument in zip(catalog.study.instruments, catalog.instruments, strict=True):
        places = {
            entry.item: f"{entry.source}.{entry.column}"
            for entry in columns
            if entry.kind == "item" and entry.instrument == instrument.id
        }
        for score in instrument.scores:
            if use.recorded_only:
                found[f"{instrument.id}.{score.id}"] = "Recorded on the form, not recomputed."
                continue
            delivered = [places[item] for item in instrument.items_of(score) if item in places]
            words = f"{in_words(instrument, score)} Delivered as {', '.join(delivered)}."
            found[f"{instrument.id}.{score.id}"] = words
    return found
