"""The earlier deliveries of a source, read back from the store.

Belongs here: which files they are by the ledger, and reading them as the source is read now. Does not belong here:
comparing them (``validation.deliveries``).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from fm_platform.catalog.asset import Step
from fm_platform.catalog.withdrawals import withdrawals_of
from fm_platform.errors import InputError
from fm_platform.lineage.erasures import erasures_of
from fm_platform.sources.delimited import read_text_table
from fm_platform.sources.redcap_export import read_form
from fm_platform.sources.redcap_forms import FormSource, dictionary_of, events_of, structure_of
from fm_platform.study import Study
from fm_platform.validation.columns import required_columns
from fm_platform.validation.withdrawals import accepted_absences


def delivered_hashes(step: Step, source: str) -> list[str]:
    """SHA-256 of every file that was a delivery of a source, the present one last."""
    found: dict[str, None] = {}
    for record in step.warehouse.records():
        if record.kind == "source" and record.content["source"] == source:
            sha256 = str(record.content["sha256"])
            found.pop(sha256, None)
            found[sha256] = None
    return list(found)


def earlier_deliveries(step: Step, source: str) -> list[pl.DataFrame]:
    """The raw tables of all deliveries before the present one, oldest first.

    A delivery that lacks a column which study.yaml names now, or that is no table as the source is declared now, cannot
    be compared and is left out.
    """
    tables = []
    erasures = erasures_of(step.warehouse.records())
    for sha256 in delivered_hashes(step, source)[:-1]:
        now = erasures.source_now(sha256)
        if now is None:
            continue
        frame = _read(step.study, source, step.warehouse.home.sources / f"{now}.gz")
        needed = set(required_columns(step.study, step.instruments, source))
        if frame is not None and needed <= set(frame.columns):
            tables.append(frame)
    return tables


def accepted_losses(step: Step, source: str) -> set[tuple[str, str | None]]:
    """Subjects, and subjects with a visit, whose absence somebody accepted, or who withdrew."""
    decided = {
        (str(decision["subject"]), decision.get("visit"))
        for decision in step.history.decisions_on(source)
        if decision["rule"] == "FM021"
    }
    return decided | accepted_absences(withdrawals_of(step), [visit.id for visit in step.study.visits])


def _read(study: Study, source: str, path: Path) -> pl.DataFrame | None:
    declared = study.clinical[source]
    try:
        if not isinstance(declared, FormSource):
            return read_text_table(source, path, name=path.name, sheet=declared.sheet).frame
        return read_form(
            source,
            declared.form,
            path,
            name=path.name,
            dictionary=dictionary_of(study, declared, source),
            events=events_of(study, declared, source),
            structure=structure_of(declared),
        ).table.frame
    except InputError:
        return None
