"""Twelve people over five publications: a corrected cell, a key of study.yaml, an edited model, another library.

The snapshots of the last three are kept.

Each publication differs from the one before by one thing. Versions of libraries are faked by metadata that stands
before the installed one's.
"""

from __future__ import annotations

import shutil
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

EDITED = "marts/symptom_change.sql"
FAKED = ("sqlglot", "99.0.0")


@dataclass(frozen=True)
class ChangingStudy:
    """A study folder, a folder of SQL models, the home of both, and a place for faked metadata."""

    study: Path
    models: Path
    home: Home
    fakes: Path

    def refresh(self, reason: str) -> None:
        """Bring the tables up to date and publish, giving a reason."""
        actor = Actor("tester", reason)
        with open_session(build_catalog(self.study, self.models), self.home, reason, actor=actor) as session:
            for table in session.plan().stale:
                session.materialize(table)

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


def five_publications(folder: Path) -> ChangingStudy:
    """The study after its five publications."""
    work = ChangingStudy(
        write_twelve_people(folder / "study"), folder / "models", Home(folder / "home"), folder / "fakes"
    )
    shutil.copytree(models_folder(), work.models)
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
    return work
