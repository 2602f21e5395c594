"""Privacy tags on the columns of assets, and the check that no report table carries an identifying one.

Belongs here: applying tags to a catalog. Does not belong here: which columns have one (``privacy.tags``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from fm_platform.catalog.asset import Asset, Built, Step
from fm_platform.instruments.model import Instrument
from fm_platform.privacy.tags import Tags
from fm_platform.study.model import Study
from fm_platform.warehouse.records import CheckDeclaration, CheckOutcome, Column, ColumnInput, ColumnLineage

NOTHING_IDENTIFYING = CheckDeclaration(
    "no_identifying_column",
    True,
    "no column holds a subject's identifier, date or free text, or is read off one",
)

FOR_THE_SITE = frozenset({"report.data_queries"})
"""Report tables that go back to those who hold the records: a query that named no subject could not be answered."""


def with_privacy(study: Study, instruments: Sequence[Instrument], assets: Sequence[Asset]) -> list[Asset]:
    """The assets with their columns tagged; report tables also get the check, but for those that go to the site."""
    tags = Tags(study, instruments)
    tagged = [replace(asset, columns=_tagged(tags, asset)) for asset in assets]
    lineages = {asset.table: asset.lineage for asset in tagged}
    guarded = {
        asset.table
        for asset in tagged
        if asset.table.startswith("report.") and asset.table not in FOR_THE_SITE
    }
    return [_guarded(asset, tags, lineages) if asset.table in guarded else asset for asset in tagged]


def _tagged(tags: Tags, asset: Asset) -> tuple[Column, ...]:
    if asset.table.startswith(("files.", "publish.")):
        return asset.columns
    found = ((column, tags.of(asset.table, column.name)) for column in asset.columns)
    return tuple(replace(column, tags=(*column.tags, tag)) if tag else column for column, tag in found)


def _guarded(asset: Asset, tags: Tags, lineages: Mapping[str, ColumnLineage]) -> Asset:
    build = partial(build_guarded, asset=asset, tags=tags, lineages=lineages)
    return replace(asset, build=build, checks=(*asset.checks, NOTHING_IDENTIFYING))


def build_guarded(step: Step, asset: Asset, tags: Tags, lineages: Mapping[str, ColumnLineage]) -> Built:
    """A report table, with the check beside its own."""
    built = asset.build(step)

    def lineage_of(table: str) -> Mapping[str, Iterable[ColumnInput]]:
        known = lineages.get(table)
        if known:
            return known
        made = step.history.materialized.get(table)
        recorded = made.body.get("column_lineage", {}) if made is not None else {}
        return {name: tuple(ColumnInput(*entry) for entry in inputs) for name, inputs in recorded.items()}

    found = {
        column: sorted({f"{table}.{name} ({tag})" for table, name, tag in reached})
        for column in asset.lineage
        if (reached := tags.identifying_inputs(asset.table, column, lineage_of))
    }
    outcome = CheckOutcome(
        NOTHING_IDENTIFYING.name,
        passed=not found,
        blocking=NOTHING_IDENTIFYING.blocking,
        severity="ERROR",
        description=NOTHING_IDENTIFYING.description,
        metadata={"columns": found},
    )
    return replace(built, checks=lambda: [*built.checks(), outcome])
