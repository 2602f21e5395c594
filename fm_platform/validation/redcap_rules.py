"""REDCap's data-quality rules E, F and H as data queries: outliers, hidden fields with a value, wrong calculations.

Belongs here: one function a rule, from the raw rows of a form to findings. Does not belong here: rules B, C, D and G,
which look at one cell (``rules``: FM027 to FM029), and expressions (``sources.redcap.logic``).

What cannot be decided raises no query: it is counted instead, so that silence is not taken for agreement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import polars as pl

from fm_platform.sources.redcap.dictionary import Field
from fm_platform.sources.redcap.logic import Node, UnreadableLogic, parse_logic
from fm_platform.sources.redcap.values import BLANK, UNKNOWN, Unknown, Value, evaluate, number, truth
from fm_platform.validation.query_rows import FOUND_SCHEMA, found_frame
from fm_platform.validation.redcap_cells import Export, Form, Row

OUTLIER, HIDDEN, CALCULATED = "FM030", "FM031", "FM032"
LETTERS = {OUTLIER: "E", HIDDEN: "F", CALCULATED: "H"}
LEAST_VALUES = 10
"""Below this n no value can lie far outside 2 SD: the largest |z| there can be is (n-1)/sqrt(n), 2.04 at n = 6."""

TOLERANCE = Fraction(1, 10**6)
_MILLION = 10**6


@dataclass(frozen=True)
class Judged:
    """What a rule made of a field.

    Attributes:
        rule: The rule.
        form: The form.
        field: The field.
        n_values: Values that were looked at.
        n_undecided: Values of which the rule could not say anything.
        note: Why the rule says nothing at all about the field, if so.
        findings: The queries, with the columns of ``FOUND_SCHEMA`` but for subject and event; ``_row_id`` instead.
    """

    rule: str
    form: str
    field: str
    n_values: int
    n_undecided: int = 0
    note: str | None = None
    findings: tuple[dict[str, str | None], ...] = ()


def judge(export: Export) -> Iterator[Judged]:
    """Every rule applied to every field of an export that it is about."""
    for form in export.forms:
        fields = {
            column.field.name: column.field for column in form.source.fields if column.field is not None
        }
        for field in fields.values():
            if _is_numeric(field) and not field.identifier:
                yield _outliers(form, field)
            if field.branching and field.type not in ("calc", "descriptive"):
                yield _hidden(export, form, field)
            if field.type == "calc":
                yield _calculated(export, form, field)


def queries_of(judged: list[Judged], keys: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The findings as data queries.

    Args:
        judged: What the rules made of the fields.
        keys: Source to subject_id and visit_id by _row_id.
    """
    rows = [{**finding, "rule": one.rule, "source": one.form} for one in judged for finding in one.findings]
    if not rows:
        return pl.DataFrame(schema=FOUND_SCHEMA)
    named = [frame.with_columns(pl.lit(name).alias("source")) for name, frame in keys.items()]
    places = {
        (row["source"], row["_row_id"]): row
        for row in pl.concat(
            [frame.select("source", "_row_id", "subject_id", "visit_id") for frame in named]
        ).to_dicts()
    }
    found: list[dict[str, object]] = []
    for row in rows:
        place = places[row["source"], row["_row_id"]]
        plain = {name: value for name, value in row.items() if name != "_row_id"}
        ids = {"subject": place["subject_id"], "event": place["visit_id"], "_row_ids": [row["_row_id"]]}
        found.append({**plain, **ids})
    return found_frame(found)


# -- rule E ---------------------------------------------------------------------------------------------------------


def _outliers(form: Form, field: Field) -> Judged:
    """Rule E: a number more than two standard deviations from the mean of all values of its field.

    With n values x, sum S and sum of squares Q, |x - S/n| > 2 SD means (nx - S)^2 (n-1) > 4n (nQ - S^2): whole numbers.
    """
    values = {
        row["_row_id"]: value for row in form.rows if (value := _millionths(form, row, field)) is not None
    }
    n = len(values)
    if n < LEAST_VALUES:
        note = f"not informative at n < {LEAST_VALUES}: {n} value{'' if n == 1 else 's'}"
        return Judged(OUTLIER, form.name, field.name, n, note=note)
    total, squares = sum(values.values()), sum(value * value for value in values.values())
    spread = 4 * n * (n * squares - total * total)
    mean, deviation = total / n / _MILLION, (spread / (4 * n * n * (n - 1))) ** 0.5 / _MILLION
    findings = tuple(
        _found(
            row,
            field,
            severity="warn",
            value=row[field.name],
            expected=f"{mean - 2 * deviation:.4g}..{mean + 2 * deviation:.4g}",
            text=f"{field.name}: more than 2 SD from the mean of {n} values (REDCap rule E)",
        )
        for row in form.rows
        if row["_row_id"] in values and (n * values[row["_row_id"]] - total) ** 2 * (n - 1) > spread
    )
    return Judged(OUTLIER, form.name, field.name, n, findings=findings)


def _millionths(form: Form, row: Row, field: Field) -> int | None:
    cell = row[field.name].strip()
    value = None if cell in form.source.missing_codes else number(cell)
    return None if value is None else round(value * _MILLION)


# -- rule F ---------------------------------------------------------------------------------------------------------


def _hidden(export: Export, form: Form, field: Field) -> Judged:
    """Rule F: a field that its branching logic hides has no value."""
    columns = form.columns_of(field.name)
    filled = [
        (row, [column.name for column in columns if _says_something(form, row, column.name, column.code)])
        for row in form.rows
    ]
    filled = [(row, names) for row, names in filled if names]
    tree = _tree(field.branching)
    if isinstance(tree, str):
        return Judged(
            HIDDEN, form.name, field.name, len(filled), len(filled), note=f"branching logic: {tree}"
        )
    shown = [truth(_value(tree, export, form, row)) for row, _ in filled]
    silent = field.identifier or (field.type in ("text", "notes", "file") and not field.validation)
    findings = tuple(
        _found(
            row,
            field,
            severity="query",
            value=None if silent else ", ".join(names) if field.type == "checkbox" else row[field.name],
            expected="no value",
            text=f"{field.name}: has a value, but its branching logic hides it (REDCap rule F): {field.branching}",
        )
        for (row, names), seen in zip(filled, shown, strict=True)
        if seen is False
    )
    undecided = sum(isinstance(seen, Unknown) for seen in shown)
    return Judged(HIDDEN, form.name, field.name, len(filled), undecided, findings=findings)


def _says_something(form: Form, row: Row, column: str, code: str | None) -> bool:
    cell = row[column].strip()
    return cell == "1" if code is not None else cell not in ("", *form.source.missing_codes)


# -- rule H ---------------------------------------------------------------------------------------------------------


def _calculated(export: Export, form: Form, field: Field) -> Judged:
    """Rule H: a calculated field holds what its equation gives."""
    tree, shown_if = _tree(field.calculation), _tree(field.branching) if field.branching else None
    if isinstance(tree, str):
        return Judged(
            CALCULATED, form.name, field.name, len(form.rows), len(form.rows), note=f"equation: {tree}"
        )
    if field.name not in form.filled:
        return Judged(CALCULATED, form.name, field.name, 0, note="no value in the export")
    undecided, findings = 0, []
    for row in form.rows:
        expected = _value(tree, export, form, row)
        if shown_if is not None:
            shown = UNKNOWN if isinstance(shown_if, str) else truth(_value(shown_if, export, form, row))
            expected = expected if shown is True else UNKNOWN
        recorded = row[field.name].strip()
        computed = number(expected)
        if isinstance(expected, Unknown) or (computed is None and expected != BLANK):
            undecided += 1
        elif not _agrees(number(recorded), computed, recorded):
            findings.append(
                _found(
                    row,
                    field,
                    severity="query",
                    value=None if field.identifier else recorded,
                    expected="no value" if computed is None else _plain(computed),
                    text=f"{field.name}: is not what its equation gives (REDCap rule H): {field.calculation}",
                )
            )
    return Judged(CALCULATED, form.name, field.name, len(form.rows), undecided, findings=tuple(findings))


def _agrees(recorded: Fraction | None, computed: Fraction | None, cell: str) -> bool:
    if recorded is None or computed is None:
        return computed is None and cell == ""
    return abs(recorded - computed) <= TOLERANCE * max(Fraction(1), abs(computed))


def _plain(value: Fraction) -> str:
    return f"{float(value):.6f}".rstrip("0").rstrip(".")


# -- shared ---------------------------------------------------------------------------------------------------------


def _is_numeric(field: Field) -> bool:
    return field.type in ("calc", "slider") or field.validation.startswith(("integer", "number"))


def _tree(text: str) -> Node | str:
    """The tree of an expression, or why there is none."""
    try:
        return parse_logic(text)
    except UnreadableLogic as problem:
        return str(problem)


def _value(tree: Node, export: Export, form: Form, row: Row) -> Value:
    try:
        return evaluate(tree, export.lookup(form, row))
    except OverflowError:
        return UNKNOWN


def _found(
    row: Row, field: Field, *, severity: str, value: str | None, expected: str | None, text: str
) -> dict[str, str | None]:
    return {
        "_row_id": row["_row_id"],
        "severity": severity,
        "item": field.name,
        "value": value,
        "expected": expected,
        "text": text,
    }
