"""An empty home and its open work database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fm_platform.warehouse.database import Warehouse, open_warehouse
from fm_platform.warehouse.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with nothing in it."""
    home = Home(tmp_path / "home")
    home.ensure()
    return home


@pytest.fixture
def warehouse(home: Home) -> Iterator[Warehouse]:
    """The home's work database, open for writing."""
    with open_warehouse(home, "test-run") as opened:
        yield opened
