"""Deliveries that bring an erased subject back.

Belongs here: refusing them before anything is kept. Does not belong here: erasing (``disclosure.erasure``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import polars as pl

from fm_platform.catalog.asset import Step
from fm_platform.errors import InputError
from fm_platform.lineage.erasures import erasures_of


def refuse_erased(step: Step, names: Iterable[str], what: str, file: str) -> None:
    """Refuse a delivery that brings back what was erased.

    Args:
        step: Gives the ledger.
        names: Subjects, or headings of count columns, as delivered.
        what: ``subjects`` or ``count_ids``.
        file: The delivered file.

    Raises:
        InputError: It does; nothing of it was kept.
    """
    back = erasures_of(step.warehouse.records()).erased(names, what)
    if back:
        raise InputError(
            f"{', '.join(back)} was erased, and this delivery has it again",
            file=file,
            mend="take it out of the delivery, and tell who delivers",
        )


def subjects_of(frame: pl.DataFrame, parts: Collection[str]) -> list[str]:
    """The subjects that stand in a delivered table."""
    if not set(parts) <= set(frame.columns):
        return []
    ids = frame.select(pl.concat_str([pl.col(part).str.strip_chars() for part in parts], separator="-"))
    return ids.to_series().unique().to_list()
