"""Where the study and its home are, from the command line, the environment or the checkout.

Belongs here: defaults and precedence. Does not belong here: reading either.
"""

from __future__ import annotations

import os
from pathlib import Path

from fm_platform.study.model import Study
from fm_platform.warehouse.home import Home

CHECKOUT = Path(__file__).resolve().parents[2]
DEFAULT_STUDY = CHECKOUT / "data" / "demo"


def study_folder(option: Path | None = None, home: Path | None = None) -> Path:
    """The study folder: the option, ``FM_STUDY``, the home's own, or the demo."""
    if option is not None:
        return option.resolve()
    if named := os.environ.get("FM_STUDY"):
        return Path(named).resolve()
    chosen = home or _home_option()
    if chosen is not None:
        bound = Home(chosen.resolve()).bound_study()
        if bound is not None:
            return bound[1]
    return DEFAULT_STUDY


def home_of(study: Study, option: Path | None = None) -> Home:
    """The home: the option, ``FM_HOME``, or ``var/<study id>`` in the checkout."""
    chosen = option or _home_option()
    return Home(chosen.resolve() if chosen is not None else default_home(study.study.id))


def default_home(study_id: str) -> Path:
    """``var/<study id>`` in the checkout, or in the current folder when installed without one."""
    base = CHECKOUT if (CHECKOUT / "pyproject.toml").is_file() else Path.cwd()
    return base / "var" / study_id


def _home_option() -> Path | None:
    named = os.environ.get("FM_HOME")
    return Path(named) if named else None
