"""How much a test of many trials tries: a sample drawn by seed, or everything under ``make soak``."""

from __future__ import annotations

import os

SOAK = bool(os.environ.get("SOAK"))


def effort(sample: int) -> list[str]:
    """Options of ``fm audit lineage``: so many input columns of each asset, or all of them with single rows."""
    return [] if SOAK else ["--sample", str(sample), "--rows", "0"]
