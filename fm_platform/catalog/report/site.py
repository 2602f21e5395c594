"""The steward's site as a file asset: rebuilt when any table is, and not otherwise.

Belongs here: the asset, and what the catalog tells the site about tables. Does not belong here: pages
(``reporting.site``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from fm_platform.catalog.asset import Asset, Built, Step
from fm_platform.catalog.report.assets import PUBLICATION, contexts_of, gate_lines
from fm_platform.lineage.code import code_version
from fm_platform.lineage.exchange.inventory import Described, latest_inventory
from fm_platform.lineage.graph import in_order
from fm_platform.reporting.site.names import FOLDER, table_page
from fm_platform.reporting.site.pages import SiteInput, render_site
from fm_platform.warehouse.ledger import canonical

SITE = "files.site"
INDEX = f"{FOLDER}/index.html"


def site_asset(assets: Sequence[Asset]) -> Asset:
    """The site over all these assets.

    Args:
        assets: Every asset but the publication, as finally declared.
    """
    by_table = {asset.table: asset for asset in assets}
    described = {node.table: _described(by_table[node.table]) for node in in_order(assets)}
    version = code_version(build_site)
    words = {
        table: [
            d.description,
            d.group,
            d.sql,
            [[c.name, c.description, list(c.tags)] for c in d.columns.values()],
        ]
        for table, d in described.items()
    }
    return Asset(
        table=SITE,
        description="The steward's site: where every column comes from, checks, sources, as static pages.",
        group="report",
        kinds=("html",),
        inputs=tuple(described),
        key=(),
        study_keys=("study",),
        tolerates_blocked=True,
        shows_records=tuple(described),
        code_version=version.as_part_of(canonical([version, words])),
        build=partial(build_site, described=described),
    )


def build_site(step: Step, described: Mapping[str, Described]) -> Built:
    """The site's pages."""
    study = step.study.study
    inventory = latest_inventory(
        step.history,
        described,
        contexts_of(step),
        study_id=study.id,
        title=study.title,
        synthetic=study.synthetic,
    )
    files = render_site(SiteInput(inventory, gate_lines(step), step.blocked))
    return Built(files=files, metadata={"site": str(step.warehouse.home.path / INDEX), "files": len(files)})


def steward_page(table: str) -> str:
    """Where the site tells of a table, below the home; the overview for what has no page of its own."""
    return INDEX if table in (SITE, PUBLICATION) else f"{FOLDER}/{table_page(table)}"


def _described(asset: Asset) -> Described:
    return Described(
        asset.description,
        asset.group,
        {column.name: column for column in asset.columns},
        asset.model.template.strip() if asset.model is not None else "",
    )
