"""A small synthetic study that is refreshed once, and copies of it that a test may damage."""

from __future__ import annotations

import contextlib
import io
import runpy
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fm_platform.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]
GENES = "150"


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Workspace:
    """A study folder and its home."""

    study: Path
    home: Path

    def fm(self, *arguments: str) -> Outcome:
        """Run a command on this study and home."""
        return run_fm(*arguments, "--study", str(self.study), "--home", str(self.home))

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        """Rewrite one file of the study."""
        path = self.study / name
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


def run_fm(*arguments: str) -> Outcome:
    """Run ``fm`` in this process, as the console script does."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["fm", *arguments]
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as stop,
        ):
            main()
    finally:
        sys.argv = before
    return Outcome(int(stop.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo study with few genes."""
    folder = tmp_path_factory.mktemp("study")
    before = sys.argv
    sys.argv = ["make_demo.py", "--genes", GENES, "--out", str(folder)]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            runpy.run_path(str(REPOSITORY / "data" / "make_demo.py"), run_name="__main__")
    finally:
        sys.argv = before
    return folder


@pytest.fixture(scope="session")
def refreshed(small_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The small study after its first refresh. Tests must not change it."""
    workspace = Workspace(small_study, tmp_path_factory.mktemp("home") / "home")
    outcome = workspace.fm("refresh")
    assert outcome.code == 0, outcome.err
    return workspace


@pytest.fixture
def workspace(refreshed: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the refreshed study and home that a test may change."""
    copy = Workspace(tmp_path / "study", tmp_path / "home")
    shutil.copytree(refreshed.study, copy.study)
    shutil.copytree(refreshed.home, copy.home)
    return copy


@pytest.fixture
def exporting(refreshed: Workspace, tmp_path: Path) -> Workspace:
    """The refreshed study with a copy of its home, as an export writes to the ledger."""
    return copy_to_export_from(refreshed, tmp_path)


@pytest.fixture
def clinical_study(small_study: Path, tmp_path: Path) -> Workspace:
    """A fresh copy of the study's clinical half, not yet refreshed."""
    copy = Workspace(tmp_path / "study", tmp_path / "home")
    shutil.copytree(small_study, copy.study)
    copy.edit("study.yaml", clinical_half)
    return copy


def copy_to_export_from(refreshed: Workspace, folder: Path) -> Workspace:
    """The study with a copy of its home, less Dagster's part, which no export looks at."""
    copy = Workspace(refreshed.study, folder / "home")
    shutil.copytree(refreshed.home, copy.home, ignore=shutil.ignore_patterns("dagster"))
    return copy


def clinical_half(text: str) -> str:
    """study.yaml without its expression half."""
    return text[: text.index("expression:")]
