"""The plan of the house is the house: docs/architecture.md names every room, in floor order."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "fm_platform"


@pytest.fixture
def floors() -> list[set[str]]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return [{room.strip() for room in floor.split("|")} for floor in contracts[0]["layers"]]


def test_every_room_has_a_floor(floors: list[set[str]]) -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set().union(*floors) == modules | folders


def test_the_plan_lists_the_rooms_from_the_top_floor_down(floors: list[set[str]]) -> None:
    rooms = (ROOT / "docs/architecture.md").read_text().split("## One value")[0]
    listed = [set(re.findall(r"`(\w+)`", line.split("|")[1])) for line in rooms.splitlines() if "|" in line]
    assert [name for row in listed for name in sorted(row)] == [n for floor in floors for n in sorted(floor)]


def test_modules_that_the_plan_names_exist() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    named = re.findall(r"`([a-z_]+)\.([a-z_]+)(?:\.[A-Z]+)?`", text)
    missing = [
        f"{room}.{module}"
        for room, module in named
        if (PACKAGE / room).is_dir()
        and not ((PACKAGE / room / f"{module}.py").exists() or (PACKAGE / room / module).is_dir())
    ]
    assert named
    assert missing == []
