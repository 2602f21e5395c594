"""What the cells of a table say of its columns, whatever they are called: keys, visits, numbers, dates.

Belongs here: pure questions to a frame of trimmed text. Does not belong here: names (``words``), writing a draft
(``exports``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import polars as pl

from fm_platform.validation.month_names import named_date
from fm_platform.warehouse.connection import connect

NUMBER = r"^[+-]?([0-9]+([.,][0-9]+)?|[.,][0-9]+)([eE][+-]?[0-9]+)?$"
MOST_VISITS = 24
_YEAR_FIRST = r"^\d{4}-\d{1,2}-\d{1,2}|^(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$"
_NAMED_PARTS = (r"[^\W\d_]{3}", r"(19|20|21)\d{2}")
"""What every date with a month's name has; most columns of words lack a year and need no further look."""
_DECIMAL = r"^[+-]?[0-9]*[.,][0-9]+$"
_FEWEST_SHARE = 0.5
"""A subject is at so many of the visits, on average."""
_FEWEST_NUMBERS = 0.8
"""Such a share of a measured column's cells are numbers; the others a refresh asks the site about."""


def order_of_dates(values: pl.Series) -> str:
    """The order of a column of dates; ``named`` where months have names, ``none`` where it holds others."""
    given = values.filter(values != "")
    if not len(given):
        return "none"
    present = given.str.replace_all("[/.]", "-")
    if present.str.contains(_YEAR_FIRST).all():
        return "ymd"
    if all(given.str.contains(part).all() for part in _NAMED_PARTS) and _have_named_months(given):
        return "named"
    if not present.str.contains(r"^\d{1,2}-\d{1,2}-\d{4}").all():
        return "none"
    second = present.str.extract(r"^\d{1,2}-(\d{1,2})-", 1).cast(pl.Int32)
    return "mdy" if (second > 12).any() else "dmy"


def _have_named_months(texts: pl.Series) -> bool:
    """Whether every text is a date with a month's name, as the staging of a study reads it."""
    with connect() as connection:
        connection.register("given", texts.unique().to_frame("cell"))
        found = connection.sql(f"SELECT bool_and({named_date('cell')} IS NOT NULL) FROM given").fetchone()
    return bool(found and found[0])


def has_decimal_comma(cells: pl.DataFrame, columns: Collection[str]) -> bool:
    """Whether the numbers of some columns have a comma, and none of them a point."""
    values = [cells[name] for name in columns]
    comma = any(column.str.contains(r"^[+-]?[0-9]*,[0-9]+$").any() for column in values)
    return comma and not any(column.str.contains(r"^[+-]?[0-9]*[.][0-9]+$").any() for column in values)


def numbers_of(values: pl.Series, missing: Collection[str]) -> pl.Series | None:
    """A column's numbers, null where it has none; None where it holds something else as a rule, or nothing."""
    number = values.str.contains(NUMBER) & ~values.is_in(list(missing))
    given = ~values.is_in(["", *missing])
    if not number.any() or len(values.filter(number)) < _FEWEST_NUMBERS * len(values.filter(given)):
        return None
    return values.set(~number, None).str.replace(",", ".", literal=True).cast(pl.Float64)


def repeated_words(values: pl.Series) -> list[str]:
    """The words that stand more than once among a measured column's numbers: what a site writes where it has none."""
    words = values.filter(~values.str.contains(NUMBER) & values.str.contains(r"^\D{2,20}$"))
    return sorted(words.filter(words.is_duplicated()).unique().to_list())


def is_key(cells: pl.DataFrame, columns: Sequence[str]) -> bool:
    """Whether no row lacks one of the columns, and no two rows have the same cells in all of them."""
    filled = not any((cells[name] == "").any() for name in columns)
    return filled and not cells.select(columns).is_duplicated().any()


def changes_within(cells: pl.DataFrame, subject: Sequence[str], column: str) -> bool:
    """Whether some subject has two different texts in a column, the empty one aside."""
    if column in subject:
        return False
    present = cells.filter(pl.col(column) != "")
    return bool((present.group_by(list(subject)).agg(pl.col(column).n_unique())[column] > 1).any())


def may_name_people(cells: pl.DataFrame, column: str) -> bool:
    """Whether a column could hold ids: never empty, no dates, no measured numbers."""
    values = cells[column]
    return (
        not (values == "").any()
        and order_of_dates(values) == "none"
        and not values.str.contains(_DECIMAL).any()
    )


def may_name_visits(cells: pl.DataFrame, column: str) -> bool:
    """Whether a column could name visits: never empty, of few texts, no dates, no measured numbers."""
    return 2 <= cells[column].n_unique() <= MOST_VISITS and may_name_people(cells, column)


def visit_beside(cells: pl.DataFrame, subject: Sequence[str], columns: Sequence[str]) -> str | None:
    """The column of few texts that tells a subject's rows apart and whose texts the subjects share."""
    best: tuple[int, str] | None = None
    for name in columns:
        texts = cells[name].n_unique()
        if name in subject or not may_name_visits(cells, name) or not is_key(cells, [*subject, name]):
            continue
        shared = cells.select(*subject, name).unique().group_by(name).len()["len"].min()
        if shared is not None and int(str(shared)) >= 2 and (best is None or texts < best[0]):
            best = (texts, name)
    return best[1] if best else None


def subject_and_visit(cells: pl.DataFrame, columns: Sequence[str]) -> tuple[str, str] | None:
    """The pair of columns that looks most like people at visits: most is constant within the first of them."""
    found: list[tuple[int, float, int, str, str]] = []
    for place, subject in enumerate(columns):
        people = cells[subject].n_unique()
        if not 2 <= people < cells.height or not may_name_people(cells, subject):
            continue
        visit = visit_beside(cells, (subject,), columns)
        if visit is None:
            continue
        share = cells.height / (people * cells[visit].n_unique())
        constant = sum(1 for name in columns if not changes_within(cells, (subject,), name))
        if share >= _FEWEST_SHARE:
            found.append((constant, share, -place, subject, visit))
    return max(found)[3:] if found else None


def usual_scale(low: float, high: float) -> tuple[float, float]:
    """A round range that holds two numbers, so that the next value is not outside it: 0..10, 0..100, -10..10."""
    end = 10.0
    while max(abs(low), abs(high)) > end:
        end *= 10
    return (0.0 if low >= 0 else -end), end


def in_visit_order(texts: Sequence[str]) -> tuple[str, ...]:
    """Visit texts: numbers by size, others as they first appear; baseline-like ones first."""
    present = [text for text in texts if text][:MOST_VISITS]
    if present and all(re.match(r"^[+-]?[0-9]+([.][0-9]+)?$", text) for text in present):
        return tuple(sorted(present, key=float))
    return tuple(sorted(present, key=lambda text: not re.search("base|screen|enrol|bl", text.lower())))
