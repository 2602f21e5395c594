"""The whole catalog of one study: every asset that its study.yaml gives rise to.

Belongs here: putting the domains together. Does not belong here: any one asset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from fm_platform.catalog.asset import Asset
from fm_platform.catalog.clinical.assets import clinical_assets
from fm_platform.catalog.clinical.parameters import parameters_asset
from fm_platform.catalog.clinical.queries import query_assets
from fm_platform.catalog.completeness import with_lineage
from fm_platform.catalog.config_tables import config_assets
from fm_platform.catalog.disclosure.tags import with_privacy
from fm_platform.catalog.expression.assets import expression_assets
from fm_platform.catalog.expression.quality import qc_assets
from fm_platform.catalog.expression.sets import set_assets
from fm_platform.catalog.links.attach import with_row_links
from fm_platform.catalog.models import model_cache
from fm_platform.catalog.report.assets import PUBLICATION, report_assets, with_records_shown
from fm_platform.catalog.report.site import site_asset
from fm_platform.catalog.withdrawals import withdrawal_assets
from fm_platform.instruments.model import Instrument
from fm_platform.instruments.registry import load_instruments
from fm_platform.lineage.code import CodeVersion
from fm_platform.lineage.graph import in_order
from fm_platform.sources.redcap.forms import expand_redcap
from fm_platform.study.loading import load_study
from fm_platform.study.model import Study
from fm_platform.warehouse.ledger import canonical, sha256_text


@dataclass(frozen=True)
class Catalog:
    """The assets of one study.

    Attributes:
        study: The study.
        instruments: Its instruments, in the order of study.yaml.
        assets: By table name.
        study_digests: Digest of study.yaml (and of the instrument files it uses) for each set of keys that an asset
            declares.
    """

    study: Study
    instruments: tuple[Instrument, ...]
    assets: Mapping[str, Asset]
    study_digests: Mapping[tuple[str, ...], str]

    def in_order(self) -> list[Asset]:
        """Upstream first."""
        return [self.assets[node.table] for node in in_order(self.assets.values())]


def build_catalog(study_folder: Path, models: Path | None = None) -> Catalog:
    """The catalog of the study in a folder.

    Args:
        study_folder: The folder with study.yaml.
        models: The folder of SQL models (default: the platform's own).

    Raises:
        InputError: study.yaml, an instrument file or a SQL model is wrong, or a column leads to no source.
    """
    study = expand_redcap(load_study(study_folder))
    instruments = load_instruments(study)
    assets: list[Asset] = withdrawal_assets(study)
    if study.has_clinical:
        assets += [*config_assets(), parameters_asset()]
        assets += clinical_assets(study, instruments, models)
        assets += query_assets(study, instruments)
    if study.has_expression:
        assets += expression_assets(study)
        assets += qc_assets()
        assets += set_assets(study)
    assets += report_assets(study, [asset.table for asset in assets])
    assets = with_privacy(study, instruments, assets)
    assets = with_row_links(study, instruments, with_lineage(assets, model_cache()))
    assets = _with_site(with_records_shown([_with_checks_in_version(asset) for asset in assets]))
    return Catalog(
        study,
        instruments,
        {asset.table: asset for asset in assets},
        _study_digests(study, instruments, assets),
    )


def _with_site(assets: list[Asset]) -> list[Asset]:
    """The site shows every asset but the publication, which comes after it."""
    shown = [asset for asset in assets if asset.table != PUBLICATION]
    site = site_asset(shown)
    return [
        *shown,
        site,
        *(
            replace(asset, inputs=(*asset.inputs, site.table))
            for asset in assets
            if asset.table == PUBLICATION
        ),
    ]


def _with_checks_in_version(asset: Asset) -> Asset:
    """A check that is added, dropped or made blocking makes its asset stale, so that a new verdict is given."""
    checks = sorted([check.name, check.blocking] for check in asset.checks)
    text = canonical([asset.code_version, checks])
    version = asset.code_version
    return replace(
        asset,
        code_version=version.as_part_of(text) if isinstance(version, CodeVersion) else sha256_text(text),
    )


def _study_digests(
    study: Study, instruments: tuple[Instrument, ...], assets: list[Asset]
) -> dict[tuple[str, ...], str]:
    definitions = canonical([instrument.model_dump(mode="json") for instrument in instruments])
    digests = {}
    for keys in {asset.study_keys for asset in assets}:
        text = study.section_digest(*keys) + (definitions if "instruments" in keys else "")
        digests[keys] = sha256_text(text)
    return digests
