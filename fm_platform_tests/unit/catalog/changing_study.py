"""Twelve people over six publications: a corrected cell, study.yaml, an edited model, another library, patched code.

The snapshots of the last three are kept.

Each publication differs from the one before by one thing. Versions of libraries are faked by metadata that stands
before the installed one's; the other code is a patched copy of the package, which publishes from a process of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.models import models_folder
from fm_platform.catalog.session import Actor, open_session
from fm_platform.lineage.libraries import distribution_of, installed
from fm_platform.warehouse.home import Home
from fm_platform_tests.unit.catalog.twelve_people import write_twelve_people

PACKAGE = Path(__file__).resolve().parents[3] / "fm_platform"
EDITED = "marts/symptom_change.sql"
FAKED = ("sqlglot", "99.0.0")
PATCHED = "statistics/effect_size.py"
_REFRESH = """
import sys
from pathlib import Path

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.session import Actor, open_session
from fm_platform.warehouse.home import Home

study, home, reason = sys.argv[1:]
with open_session(build_catalog(Path(study)), Home(Path(home)), reason, actor=Actor("tester", reason)) as session:
    for table in session.plan().stale:
        session.materialize(table)
"""


@dataclass(frozen=True)
class ChangingStudy:
    """A study folder, a checkout whose SQL models and code are edited, the home, and a place for faked metadata."""

    study: Path
    checkout: Path
    home: Home
    fakes: Path

    @property
    def models(self) -> Path:
        """The checkout's SQL models."""
        return self.checkout / "dbt_like_sql"

    def refresh(self, reason: str) -> None:
        """Bring the tables up to date and publish, giving a reason."""
        actor = Actor("tester", reason)
        with open_session(build_catalog(self.study, self.models), self.home, reason, actor=actor) as session:
            for table in session.plan().stale:
                session.materialize(table)

    def refresh_by_checkout(self, reason: str) -> None:
        """The same by the checkout's own code, with the faked libraries."""
        path = os.pathsep.join(str(folder) for folder in (self.fakes, self.checkout))
        finished = subprocess.run(
            [sys.executable, "-c", _REFRESH, str(self.study), str(self.home.path), reason],
            capture_output=True, text=True, check=False, cwd=self.checkout, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr

    def edit(self, path: Path, old: str, new: str) -> None:
        """Replace a text of a file."""
        text = path.read_text(encoding="utf-8")
        assert text.count(old) >= 1
        path.write_text(text.replace(old, new, 1), encoding="utf-8")


@contextmanager
def faked_library(folder: Path, name: str, version: str) -> Iterator[None]:
    """Have a distribution of another version installed, as far as its metadata goes."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n")
    sys.path.insert(0, str(folder))
    _forget()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        _forget()


def _forget() -> None:
    installed.cache_clear()
    distribution_of.cache_clear()


def six_publications(folder: Path) -> ChangingStudy:
    """The study after its six publications."""
    work = ChangingStudy(
        write_twelve_people(folder / "study"), folder / "checkout", Home(folder / "home"), folder / "fakes"
    )
    shutil.copytree(models_folder(), work.models)
    shutil.copytree(PACKAGE, work.checkout / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    work.edit(work.study / "study.yaml", "study:", "keep_snapshots: 3\nstudy:")
    work.refresh("begin")
    work.edit(work.study / "visits.csv", "T00,week_12,2024-03-25,2", "T00,week_12,2024-03-25,9")
    work.refresh("correct")
    work.edit(work.study / "study.yaml", "range: [0, 10]", "range: [0, 11]")
    work.refresh("declare")
    text = (work.models / EDITED).read_text(encoding="utf-8").rstrip()
    (work.models / EDITED).write_text(
        f"{text}\n    and base.value_exact >= 6 * base.value_scale\n", encoding="utf-8"
    )
    work.refresh("edit")
    with faked_library(work.fakes, *FAKED):
        work.refresh("upgrade")
    work.edit(
        work.checkout / PACKAGE.name / PATCHED, "(test.w_plus - test.w_minus)", "(test.w_minus - test.w_plus)"
    )
    work.refresh_by_checkout("rewrite")
    return work
