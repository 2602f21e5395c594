"""The number of a record within its subject, by which ``SRCSEQ`` of ``marts.adqs`` finds it (SDTM's --SEQ).

Belongs here: the numbering, for SQL and for frames. Does not belong here: the tables that carry it.

A number is made from the plan alone (which visit, which variable), so that no other row of the subject moves it. Visits
outside the plan have none: no analysis value comes from there.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fm_platform.study.model import Study
from fm_platform.warehouse.names import literal

SEQ = "seq"
SEQ_DESCRIPTION = "Number of the record within its subject, by planned visit; null outside the plan."


def number_sql(study: Study, names: Sequence[str], name: str, visit: str) -> str:
    """SQL of the number of a record of one variable.

    Args:
        study: The study.
        names: All variables of the table, in order.
        name: The record's.
        visit: The column with its visit.
    """
    place = names.index(name) + 1
    cases = [
        f"when {literal(planned.id)} then {number * len(names) + place}"
        for number, planned in enumerate(study.visits)
    ]
    return f"cast(case {visit} {' '.join(cases)} end as integer)" if cases else "cast(null as integer)"


def numbered(rows: pl.DataFrame, study: Study, names: Sequence[str], column: str) -> pl.DataFrame:
    """Rows with their number in ``seq``.

    Args:
        rows: ``visit_id`` and the column that names the variable.
        study: The study.
        names: All variables of the table, in order.
        column: That column.
    """
    keys = [(visit.id, name) for visit in study.visits for name in names]
    numbers = pl.DataFrame(
        [(*key, number) for number, key in enumerate(keys, start=1)],
        schema={"visit_id": pl.String, column: pl.String, SEQ: pl.Int32},
        orient="row",
    )
    return rows.join(numbers, on=["visit_id", column], how="left", maintain_order="left")
