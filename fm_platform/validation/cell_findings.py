"""The SQL that finds cells which break a rule: numbers, ranges, units, dates.

Belongs here: one SELECT a column, with the reason in words. Does not belong here: rules about whole rows
(``row_findings``), or running anything (``gate``).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from fm_platform.study.clinical import ClinicalSource
from fm_platform.validation import expressions
from fm_platform.validation.declared import DATE, NUMBER, DeclaredColumn
from fm_platform.validation.rules import is_scale, range_rule
from fm_platform.warehouse.names import identifier, literal

LARGEST_OTHER_UNIT = 100
"""A millimetre scale ends here; a larger number is no unit mismatch but simply wrong."""

LONGEST_USUAL_RANGE = 20

_DATE_HINTS = {
    "[2-7][0-9]{4}([.][0-9]+)?": "it looks like a spreadsheet's day number (format the column as a date and export it "
    "again)",
    "1[0-9]{9}([0-9]{3})?": "it looks like seconds since 1970 (write the date)",
    "[0-9]{1,2}([-/. ]+[0-9]{1,2}[-/. ]+|[-/. ]*[A-Za-z]{3,}[-/. ,]*)[0-9]{2}": "its year has two digits (write four)",
    ".*[0-9] *[AaPp][.]?[Mm][.]?": "a time of day with AM or PM is not read (write 24 hours, or the date alone)",
    ".*[0-9]:[0-9:.]+ ?([A-Z]{1,4}|[+-][0-9:]+)": "its time zone is not read (write the date alone)",
}
"""What a refused date looks like to what it may be."""

_ORDER_NAMES = {"ymd": "year, month, day", "dmy": "day, month, year", "mdy": "month, day, year"}


def cell_findings(raw: str, entries: Sequence[DeclaredColumn], source: ClinicalSource) -> list[str]:
    """SELECTs of the findings in some columns; columns that are judged alike share one.

    Args:
        raw: SQL of the raw table.
        entries: The columns: numbers, dates or lists of choices.
        source: Their source.

    Returns:
        SQL with the columns _row_id, scope, column, rule, reason, value.
    """
    alike: dict[str, list[str]] = {}
    for entry in entries:
        alike.setdefault(_refusal(entry, source), []).append(_unusual_cells(raw, entry, source))
    return [_findings(refused, "\n    union all\n    ".join(cells)) for refused, cells in alike.items()]


def _refusal(entry: DeclaredColumn, source: ClinicalSource) -> str:
    if entry.type == DATE:
        return _date_refusal(entry, source)
    return _number_refusal(entry) if entry.is_number else _text_refusal(entry)


def _unusual_cells(raw: str, entry: DeclaredColumn, source: ClinicalSource) -> str:
    """The cells of a column that need a closer look."""
    fine = expressions.texts([*expressions.missing_codes(source), *usual_texts(entry)])
    cell = expressions.text(entry.column)
    return f"""select _row_id, {literal(entry.column)} as "column", {identifier(entry.column)} as value,
        {cell} as cell from {raw} where {cell} not in {fine}"""


def _findings(refused: str, cells: str) -> str:
    """The cells that are refused. They are materialized, or DuckDB would plan the long expression for every column."""
    return f"""(
with cells as materialized (
    {cells}
)
select _row_id, 'cell' as scope, "column", refusal[1] as rule, left(cell, 60) || ' ' || refusal[2] as reason, value
from (select *, {refused} as refusal from cells)
where refusal is not null
)"""


def usual_texts(entry: DeclaredColumn) -> list[str]:
    """The plain spellings of a short range of whole numbers, which need no closer look."""
    if not entry.integer or entry.factor != 1 or entry.low is None or entry.high is None:
        return []
    if entry.high - entry.low > LONGEST_USUAL_RANGE:
        return []
    return [str(value) for value in range(int(entry.low), int(entry.high) + 1)]


def number(cell: str, entry: DeclaredColumn) -> str:
    """A present cell as DECIMAL in the staged unit, whatever its range; null for text that is no exact number."""
    numeral = expressions.numeral(cell, entry)
    value = expressions.decimal(numeral, entry.factor, expressions.JUDGED)
    return f"case when {_is_number(cell, entry)} and {_has_places(cell, entry)} then {value} end"


def _is_number(cell: str, entry: DeclaredColumn) -> str:
    pattern = literal(expressions.number_pattern(entry))
    return f"regexp_full_match({expressions.numeral(cell, entry)}, {pattern})"


def _has_places(cell: str, entry: DeclaredColumn) -> str:
    return f"{expressions.decimals(expressions.numeral(cell, entry))} <= {entry.places}"


def range_text(entry: DeclaredColumn) -> str:
    """A range as people write it: 0..10."""
    return f"{_plain(entry.low)}..{_plain(entry.high)}"


def _number_refusal(entry: DeclaredColumn) -> str:
    """Rule and reason of a cell that is no acceptable number, as a list; else null."""
    rule, value = range_rule(entry), number("cell", entry)
    after = "" if entry.factor == 1 else " after conversion of its unit"
    wanted = "a whole number" if entry.integer else "a number"
    branches = [
        (f"not {_is_number('cell', entry)}", rule, f"is not {wanted}"),
        (
            f"not {_has_places('cell', entry)}",
            rule,
            f"has more decimals than are kept exactly ({entry.places})",
        ),
        (
            f"{value} is null",
            rule,
            f"is outside {range_text(entry)}" if entry.is_bounded else "is too large",
        ),
    ]
    if entry.integer:
        branches.append((f"{value} <> floor({value})", rule, f"is not {wanted}{after}"))
    if entry.kind == "field" and entry.type == NUMBER:
        return _case(branches)
    if is_scale(entry):
        mismatch = f"{value} > {_plain(entry.high)} and {value} <= {LARGEST_OTHER_UNIT}"
        reason = f"is outside {range_text(entry)}{after}, as if in another unit (declare it under units)"
        branches.append((mismatch, "FM019", reason))
    outside = f"{value} not between {_plain(entry.low)} and {_plain(entry.high)}"
    branches.append((outside, rule, f"is outside {range_text(entry)}{after}"))
    return _case(branches)


def _text_refusal(entry: DeclaredColumn) -> str:
    if entry.pattern:
        refused = f"not regexp_full_match(cell, {literal(entry.pattern)})"
        return _case([(refused, range_rule(entry), "is not of the dictionary's type (REDCap rule C)")])
    refused = f"cell not in {expressions.texts(entry.choices)}"
    return _case([(refused, range_rule(entry), "is none of the choices of the dictionary (REDCap rule G)")])


def date_hint(cell: str) -> str:
    """SQL of what a refused date looks like, in words; null where it looks like nothing known."""
    whens = " ".join(
        f"when regexp_full_match({cell}, '{shape}') then {literal(hint)}"
        for shape, hint in _DATE_HINTS.items()
    )
    return f"case {whens} end"


def _date_refusal(entry: DeclaredColumn, source: ClinicalSource) -> str:
    order = _ORDER_NAMES.get(source.dates or "", "")
    reason = f"is not a date in the order {order}" if order else "is not a date"
    words = f"{literal(reason)} || coalesce(': ' || {date_hint('cell')}, '')"
    return f"case when {date('cell', source)} is null then [{literal(date_rule(entry))}, {words}] end"


def date_rule(entry: DeclaredColumn) -> str:
    """The rule that a cell breaks which is no date."""
    return "FM027" if entry.kind == "field" else "FM024"


def date(cell: str, source: ClinicalSource) -> str:
    """A present cell as DATE; null for text that is no date in a declared order and with a plausible year."""
    pattern = literal(expressions.date_pattern(source))
    return f"""case when regexp_full_match({expressions.date_text(cell)}, {pattern})
        then {expressions.date(cell, source)} end"""


def _case(branches: list[tuple[str, str, str]]) -> str:
    whens = " ".join(
        f"when {condition} then [{literal(rule)}, {literal(reason)}]" for condition, rule, reason in branches
    )
    return f"case {whens} end"


def _plain(value: Decimal | None) -> str:
    """A decimal without exponent and without zeros at its end."""
    if value is None:
        raise ValueError("a number column has both bounds")
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
