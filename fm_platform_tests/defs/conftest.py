"""A made home of the tiny study, its definitions, and an instance that is thrown away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from fm_platform.catalog.graph import Catalog
from fm_platform.defs.build import build_definitions
from fm_platform.warehouse.home import Home
from fm_platform_tests.unit.catalog.tiny_study import up_to_date


@dataclass(frozen=True)
class Site:
    """A study and its home as Dagster sees them."""

    catalog: Catalog
    home: Home
    repository: dg.RepositoryDefinition

    def edit(self, name: str, old: str, new: str) -> None:
        """Change one file of the study."""
        path = self.catalog.study.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """The tiny study in a home in which everything was made once."""
    catalog, home = up_to_date(tmp_path / "study", tmp_path / "home")
    return Site(catalog, home, build_definitions(catalog, home).get_repository_def())


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance in memory."""
    with dg.DagsterInstance.ephemeral() as made:
        yield made
