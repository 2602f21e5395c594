"""The type of a declared column, and its constants.

Belongs here: the frozen type that the room's modules share, and look-ups on lists of it. Does not belong
here: how study.yaml becomes such a list (``columns``, ``roles``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

ColumnKind = Literal[
    "subject", "visit", "date", "item", "total", "measure", "attribute", "missing_reason", "field"
]

Mark = Literal["point", "comma", "either"]

SUBJECT_ID = "subject_id"
VISIT_ID = "visit_id"
VISIT_DATE = "visit_date"
STAGED_NAMES = {SUBJECT_ID: "subject", VISIT_ID: "visit", VISIT_DATE: "date"}
"""The columns that staging adds, each with the only kind of file column that may carry the same name."""

TEXT, DATE, ITEM, NUMBER = "VARCHAR", "DATE", "SMALLINT", "DECIMAL(18,6)"
"""Types in ``staging``. A NUMBER column whose texts have more digits is staged wider (``number_scales``)."""

EXACT_DIGITS = 18
"""Numbers on one scale are ranked as whole numbers of up to so many digits (two of them add up in 64 bits)."""

AGE_RANGE = (Decimal(0), Decimal(120))
UNIT_RANGES = {"nrs": (Decimal(0), Decimal(10)), "mm": (Decimal(0), Decimal(100))}

_PRECEDENCE = ("subject", "visit", "date", "item", "total", "measure", "attribute", "missing_reason", "field")


@dataclass(frozen=True)
class DeclaredColumn:
    """One use of one file column. A column with several uses has several entries.

    Attributes:
        source: The clinical source.
        column: The file column.
        kind: What it is used as.
        type: DuckDB type in ``staging``.
        low, high: Inclusive bounds in the staged unit (numbers only).
        span: Inclusive ends of a REDCap date or time, year first; empty: open.
        integer: Whether only whole numbers are accepted.
        instrument, item, domain: For items and totals, the questionnaire's own names.
        role: The role in study.yaml (``sex``, ``arm``); for measures and totals the variable's name
            (``visits.twstrs``, ``fiqr.total.recorded``).
        factor: What a delivered number is multiplied with to reach the staged unit.
        mark: The decimal mark of its numbers; ``either`` where the cells of the delivery tell (``number_styles``).
        choices: The texts that a REDCap field may hold (none: any).
        pattern: What a REDCap field's text must match as a whole (empty: anything), such as a time of day.
        required: Whether the dictionary asks for a value.
        optional: Whether the file may lack the column; a raw table then has it without a value.
        box: For a checkbox: the columns whose content tells an empty box from an unanswered question: the
            form's status, then every box of the field.
    """

    source: str
    column: str
    kind: ColumnKind
    type: str = TEXT
    low: Decimal | None = None
    high: Decimal | None = None
    span: tuple[str, str] = ("", "")
    integer: bool = False
    instrument: str = ""
    item: str = ""
    domain: str = ""
    role: str = ""
    factor: Fraction = Fraction(1)
    mark: Mark = "point"
    choices: tuple[str, ...] = ()
    pattern: str = ""
    required: bool = False
    optional: bool = False
    box: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether the column is staged as a number."""
        return self.type in (ITEM, NUMBER)

    @property
    def is_bounded(self) -> bool:
        """Whether the numbers have a range with both ends."""
        return self.low is not None and self.high is not None

    @property
    def is_checked(self) -> bool:
        """Whether a cell of the column can be refused by what it holds."""
        return self.is_number or self.type == DATE or bool(self.choices or self.pattern)

    @property
    def places(self) -> int:
        """How many decimals a delivered number may have: as many as leave every number of the range exact."""
        steps = EXACT_DIGITS if self.factor.denominator == 1 else EXACT_DIGITS - 1
        if self.low is None or self.high is None:
            return steps
        largest = max(abs(self.low), abs(self.high))
        return next((place for place in range(steps, 0, -1) if largest * 10**place <= 10**EXACT_DIGITS), 0)


def columns_of_source(columns: Sequence[DeclaredColumn], source: str) -> tuple[DeclaredColumn, ...]:
    """One entry per file column of a source: the use that decides its type."""
    chosen: dict[str, DeclaredColumn] = {}
    entries = [entry for entry in columns if entry.source == source]
    for entry in sorted(entries, key=lambda entry: _PRECEDENCE.index(entry.kind)):
        chosen.setdefault(entry.column, entry)
    order = list(dict.fromkeys(entry.column for entry in entries))
    return tuple(chosen[column] for column in order)
