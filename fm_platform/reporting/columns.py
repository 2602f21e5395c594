"""The columns that several report tables have beside the statistics that they repeat.

Belongs here: their declarations. Does not belong here: a table, or filling it.
"""

from __future__ import annotations

from fm_platform.statistics.sources import OUTCOMES, VISITS
from fm_platform.warehouse.records import Column
from fm_platform.warehouse.table import Inputs, count, indirect, text


def place(*inputs: Inputs) -> Column:
    """A row's place on the page."""
    return count("position", "Order on the page", *inputs, written="")


def shown(name: str, description: str, *inputs: Inputs) -> Column:
    """A text as the page prints it."""
    return text(name, description, *inputs, written="text")


def outcome_of(table: str) -> Inputs:
    """What an outcome of a table of statistics is found by."""
    return (*indirect(OUTCOMES, "outcome_id", how="JOIN"), *indirect(table, "outcome", how="JOIN"))


def visit_of(table: str) -> Inputs:
    """What a visit of a table of statistics is found by."""
    return (*indirect(VISITS, "visit_id", how="JOIN"), *indirect(table, "visit", how="JOIN"))
