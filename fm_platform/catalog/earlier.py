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
from fm_platform.sources.delimited import TextTable, read_text_table
from fm_platform.sources.redcap.export import read_form
from fm_platform.sources.redcap.forms import FormSource, dictionary_of, events_of, structure_of
from fm_platform.study.model import Study
from fm_platform.validation.deliveries import PLACE
from fm_platform.validation.headers import required_columns
from fm_platform.validation.withdrawals import accepted_absences


def _deliveries(step: Step, source: str) -> list[tuple[str, str]]:
    """SHA-256 and path below the study folder of every delivery of a source, the present one last.

    A file that is read again is no new delivery; one that comes back after another is.
    """
    found: list[tuple[str, str]] = []
    for record in step.warehouse.records():
        if record.kind == "source" and record.content["source"] == source:
            sha256 = str(record.content["sha256"])
            if not found or found[-1][0] != sha256:
                found.append((sha256, str(record.content["path"])))
    return found


def earlier_deliveries(step: Step, source: str) -> list[pl.DataFrame]:
    """The raw tables of all deliveries before the present one, oldest first, with file:line of each row.

    A delivery that lacks a column which study.yaml names now, or that is no table as the source is declared now, cannot
    be compared and is left out.
    """
    needed = set(required_columns(step.study, step.instruments, source))
    erasures = erasures_of(step.warehouse.records())
    earlier = _deliveries(step, source)[:-1]
    read = {
        (sha256, path): _read(step.study, source, step.warehouse.home.sources / f"{now}.gz", path)
        for sha256, path in dict.fromkeys(earlier)
        if (now := erasures.source_now(sha256)) is not None
    }
    frames = (read[delivery] for delivery in earlier if delivery in read)
    return [frame for frame in frames if frame is not None and needed <= set(frame.columns)]


def accepted_losses(step: Step, source: str) -> set[tuple[str, str | None]]:
    """Subjects, and subjects with a visit, whose absence somebody accepted, or who withdrew."""
    decided = {
        (str(decision["subject"]), decision.get("visit"))
        for decision in step.history.decisions_on(source)
        if decision["rule"] == "FM021"
    }
    return decided | accepted_absences(withdrawals_of(step), [visit.id for visit in step.study.visits])


def _read(study: Study, source: str, path: Path, delivered: str) -> pl.DataFrame | None:
    try:
        table = _table(study, source, path)
    except InputError:
        return None
    return table.frame.with_columns(pl.Series(PLACE, [f"{delivered}:{line}" for line in table.lines]))


def _table(study: Study, source: str, path: Path) -> TextTable:
    declared = study.clinical[source]
    if not isinstance(declared, FormSource):
        return read_text_table(source, path, name=path.name, sheet=declared.sheet)
    return read_form(
        source,
        declared.form,
        path,
        name=path.name,
        dictionary=dictionary_of(study, declared, source),
        events=events_of(study, declared, source),
        structure=structure_of(declared),
    ).table
