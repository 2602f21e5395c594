"""The assets with their row links, and the refusal of a table whose numbers lead to no rows.

Belongs here: putting the domains' rules together. Does not belong here: the rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fm_platform.catalog.asset import Asset, RowsOf
from fm_platform.catalog.links.clinical import clinical_links
from fm_platform.catalog.links.expression import expression_links
from fm_platform.catalog.links.printed import printed_links
from fm_platform.errors import FmError
from fm_platform.instruments.model import Instrument
from fm_platform.study.model import Study

DECLARED, FILES = "study.", ("files.", "publish.")


def with_row_links(study: Study, instruments: Sequence[Instrument], assets: Sequence[Asset]) -> list[Asset]:
    """The assets, each that Python computes with the rows of its inputs behind its rows.

    Args:
        study: The study.
        instruments: Its instruments, in the order of ``study.instruments``.
        assets: The catalog's assets with their column lineage.

    Raises:
        FmError: A table's column lineage names an input whose rows no rule tells.
    """
    classes = next((asset.inputs for asset in assets if asset.table == "privacy.equivalence_classes"), ())
    rules = {
        **(clinical_links(study, instruments) if study.has_clinical else {}),
        **expression_links(study),
        **printed_links(classes),
    }
    return [_with_rows(asset, rules) for asset in assets]


def _with_rows(asset: Asset, rules: Mapping[str, tuple[RowsOf, ...]]) -> Asset:
    if asset.model is not None or asset.table.startswith(FILES):
        return asset
    rows = tuple(rule for rule in rules.get(asset.table, ()) if rule.input in asset.inputs)
    told = {rule.input for rule in rows}
    named = {entry.table for inputs in asset.lineage.values() for entry in inputs}
    untold = sorted(table for table in named - told if not table.startswith(DECLARED))
    if untold and asset.table != "report.data_queries":
        raise FmError(f"{asset.table}: no rule tells which rows of {', '.join(untold)} stand behind its rows")
    return replace(asset, rows=rows)
