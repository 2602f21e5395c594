"""Making assets again on a scratch database, where nothing is recorded.

Belongs here: the step that such an asset is given, and building it without a word. Does not belong here: what is
changed before (``trial``, ``lineage_audit``) and what is made of the result.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from fm_platform.catalog.asset import Asset, Built, Delivered, Step
from fm_platform.catalog.graph import Catalog
from fm_platform.errors import FmError
from fm_platform.lineage.history import History
from fm_platform.warehouse.scratch import Scratch


def scratch_step(catalog: Catalog, scratch: Scratch, history: History) -> Step:
    """A step that reads a scratch database, tells nobody, and reads no delivered file."""
    return Step(
        study=catalog.study,
        instruments=catalog.instruments,
        warehouse=scratch,
        history=history,
        blocked={},
        progress=lambda _: None,
        keep=_keep_nothing,
    )


def build_quietly(asset: Asset, step: Step) -> Built:
    """What an asset gives; libraries' warnings about changed inputs are nobody's business."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return asset.build(step)


def _keep_nothing(source: str, path: Path) -> Delivered:
    raise FmError(f"{path} of {source} is a delivered file: what reads one is not made again")
