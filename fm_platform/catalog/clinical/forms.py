"""Forms of REDCap exports as raw tables.

Belongs here: reading one form of an export into its table, with the check that no cell was lost. Does not
belong
here: other delivered files (``assets``), taking an export apart (``sources.redcap.export``).
"""

from __future__ import annotations

from pathlib import Path

from fm_platform.catalog.asset import Built, Step
from fm_platform.catalog.delivered import source_rows, with_optional_items
from fm_platform.catalog.redelivered import refuse_erased, subjects_of
from fm_platform.sources.redcap.export import FormTable, read_form
from fm_platform.sources.redcap.forms import (
    FormSource,
    dictionary_of,
    events_of,
    require_declared_repeats,
    structure_of,
)
from fm_platform.study.clinical import ClinicalSource
from fm_platform.study.model import Study
from fm_platform.validation.headers import optional_columns, require_columns
from fm_platform.warehouse.records import CheckDeclaration, CheckOutcome, Column

EXPORT_RECONCILED = CheckDeclaration(
    "export_reconciled", True, "Every filled cell of the form in the export is in its table."
)


def form_files(study: Study, source: ClinicalSource) -> tuple[Path, ...]:
    """The files that say how an export is read."""
    if not isinstance(source, FormSource):
        return ()
    return tuple(study.folder / name for name in (source.dictionary, source.events) if name is not None)


def form_columns(source: ClinicalSource) -> tuple[Column, ...]:
    """The columns of a form with their labels; those that identify a person are tagged ``phi``."""
    if not isinstance(source, FormSource):
        return ()
    return tuple(
        Column(
            column.name,
            column.field.label or column.name if column.field is not None else "Status of the form",
            tags=("phi",) if column.name in source.identifiers else (),
        )
        for column in source.fields
    )


def build_form(step: Step, source: str, declared: FormSource, path: Path, name: str) -> Built:
    """Read, keep and store one form of an export."""
    dictionary = dictionary_of(step.study, declared, source)
    read = read_form(
        source,
        declared.form,
        path,
        name=name,
        dictionary=dictionary,
        events=events_of(step.study, declared, source),
        structure=structure_of(declared),
    )
    require_declared_repeats(declared, read, name)
    require_columns(step.study, step.instruments, source, read.available, file=name)
    refuse_erased(step, subjects_of(read.table.frame, declared.columns.get("subject", ())), "subjects", name)
    for extra in form_files(step.study, declared):
        step.keep(f"{declared.export} ({extra.name})", extra)
    kept = step.keep(source, path)
    table = read.table
    return Built(
        rows=with_optional_items(table.frame, optional_columns(step.study, step.instruments, source)),
        source_rows=source_rows(
            source, table.frame["_row_id"].to_list(), table.lines, table.file.sha256, kept.path
        ),
        checks=lambda: [_reconciled(read, dictionary.record_id.name)],
        metadata={
            "file": name,
            "sha256": table.file.sha256,
            "delimiter": table.delimiter,
            "encoding": table.encoding,
            "export_rows": read.export_rows,
            "rows_of_no_form": read.empty_rows,
        },
    )


def _reconciled(read: FormTable, record_id: str) -> CheckOutcome:
    about_rows = {record_id, *read.structure, "_row_id"}
    cells = sum(
        int((read.table.frame[column] != "").sum())
        for column in read.table.frame.columns
        if column not in about_rows
    )
    return CheckOutcome(
        EXPORT_RECONCILED.name,
        cells == read.cells,
        True,
        "ERROR",
        EXPORT_RECONCILED.description,
        {
            "export_rows": read.export_rows,
            "rows_of_no_form": read.empty_rows,
            "rows": read.table.frame.height,
            "cells_in_export": read.cells,
            "cells_in_table": cells,
        },
    )
