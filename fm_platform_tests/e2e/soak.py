"""How much a test with a budget tries: a sample, or everything under ``make soak``."""

from __future__ import annotations

import os

SOAK = bool(os.environ.get("SOAK"))


def effort(seconds: int) -> list[str]:
    """Options of ``fm audit lineage``: this many seconds, or everything with single rows."""
    return ["--rows", "2"] if SOAK else ["--rows", "0", "--budget", str(seconds)]
