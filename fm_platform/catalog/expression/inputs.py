"""What is delivered for the expression half: counts in any format and the sample sheet.

Belongs here: their raw tables and the readers' remarks. Does not belong here: readers (``sources``), gene annotation
(``genes``), analysis tables (``assets``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, columns
from fm_platform.catalog.delivered import source_rows
from fm_platform.catalog.redelivered import refuse_erased, subjects_of
from fm_platform.errors import InputError
from fm_platform.expression.counts import raw_count_columns, raw_counts
from fm_platform.expression.genes import input_notes
from fm_platform.lineage.code import code_version
from fm_platform.sources.counts.reading import CountMatrix, count_files, read_counts, resolved_format
from fm_platform.sources.delimited import read_text_table
from fm_platform.study.model import Study
from fm_platform.warehouse.records import Column
from fm_platform.warehouse.table import direct

NOTES = "expression.input_notes"


def input_assets(study: Study) -> list[Asset]:
    """The raw tables of the expression half, and the readers' remarks."""
    return [_counts(study), _count_columns(study), _notes(study), _samples(study)]


def require_count_files(study: Study) -> None:
    """Tell of missing files, and of folders of counts that are not understood, before anything starts.

    Raises:
        InputError: A file or folder that study.yaml names is not there or not known; the message names its line.
    """
    assert study.expression is not None
    declared = study.expression
    for path in declared.counts.path:
        found = study.resolve(path, "expression", "counts", "path", folders=True)
        try:
            resolved_format(found, declared.counts.format, path)
        except InputError as error:
            raise study.error(
                f"{path}: {error.message}", "expression", "counts", "path", mend=error.mend or ""
            ) from None
    for key in ("tx2gene", "lengths"):
        if getattr(declared.counts, key) is not None:
            study.resolve(getattr(declared.counts, key), "expression", "counts", key)
    if declared.genes is not None:
        study.resolve(declared.genes.path, "expression", "genes", "path")
    for path in study.gene_sets:
        study.resolve(path, "gene_sets")


# -- counts -------------------------------------------------------------------------------------------------------


def _count_files(study: Study) -> tuple[Path, ...]:
    assert study.expression is not None
    declared = study.expression.counts
    found = [
        file
        for path in declared.path
        for file in count_files(
            study.folder / path,
            declared.format,
            tx2gene=_beside(study, declared.tx2gene),
            lengths=_beside(study, declared.lengths),
        )
    ]
    return tuple(dict.fromkeys(found))


def _beside(study: Study, name: str | None) -> Path | None:
    return study.folder / name if name is not None else None


def _counts(study: Study) -> Asset:
    return Asset(
        table="raw.counts",
        description="Count matrices as delivered: one row a gene of a delivery, counts in the order of its columns.",
        group="raw",
        kinds=("file", "duckdb"),
        half="expression",
        key=("_row_id",),
        study_keys=("expression",),
        source_files=_count_files(study),
        code_version=code_version(build_raw_counts),
        build=build_raw_counts,
        columns=columns(
            _row_id="Hash of the row's content: the same row keeps it wherever it stands",
            sheet="The file or folder",
            gene_id="The gene",
            symbol="Its symbol, where the file has one",
            counts="Its counts, in the order of raw.count_columns",
            lengths="Its average transcript lengths, in that order; null where the format knows none",
        ),
    )


def _count_columns(study: Study) -> Asset:
    return Asset(
        table="raw.count_columns",
        description="What every column of every count file is: gene id, count, annotation, or ignored and why.",
        group="raw",
        kinds=("file", "duckdb"),
        half="expression",
        inputs=("raw.counts",),
        key=("sheet", "position"),
        study_keys=("expression",),
        source_files=_count_files(study),
        code_version=code_version(build_count_columns),
        build=build_count_columns,
        columns=columns(
            sheet="The file or folder",
            position="Position in the file, from 0; of a folder, the samples' order",
            column="The column's heading, or the sample's file",
            kind="gene_id, count, annotation or ignored",
            count_id="The sample that a count column belongs to",
            reason="Why a column is ignored",
        ),
    )


def _notes(study: Study) -> Asset:
    described = columns(
        sheet="The file or folder",
        position="The remark's place, from 0",
        kind="unit, rounded, set_aside, choice, lengths, damaged_id or unmapped",
        item="The row, column or file that it is about",
        line="Its line in the file",
        note="The remark",
    )
    return Asset(
        table=NOTES,
        description="What the readers of counts chose, rounded, set aside or remarked.",
        group="expression",
        kinds=("file", "duckdb"),
        half="expression",
        inputs=("raw.counts",),
        key=("sheet", "position"),
        study_keys=("expression",),
        source_files=_count_files(study),
        code_version=code_version(build_notes),
        build=build_notes,
        lineage={column.name: direct("raw.counts", "sheet", "counts") for column in described},
        columns=described,
    )


@dataclass(frozen=True, eq=False)
class _Remarks:
    """What is said of the files besides the counts."""

    columns: pl.DataFrame
    notes: pl.DataFrame


def _read_matrices(step: Step) -> list[tuple[CountMatrix, Path]]:
    assert step.study.expression is not None
    declared = step.study.expression.counts
    matrices = []
    for pattern in declared.path:
        path = step.study.resolve(pattern, "expression", "counts", "path", folders=True)
        name = path.relative_to(step.study.folder).as_posix()
        step.progress(f"reading {name}")
        matrix = read_counts(
            path,
            name=name,
            format=declared.format,
            gene_id=declared.gene_id,
            tx2gene=_beside(step.study, declared.tx2gene),
            strand=declared.strand,
            lengths=_beside(step.study, declared.lengths),
            sample_id=declared.sample_id,
            layer=declared.layer,
            accept=step.study.expression.accept,
        )
        matrices.append((matrix, path))
    return matrices


def _remarks(step: Step, matrices: Sequence[CountMatrix] | None = None) -> _Remarks:
    """Columns and notes, without reading files again that were read in this run."""

    def make() -> _Remarks:
        found = matrices if matrices is not None else [matrix for matrix, _ in _read_matrices(step)]
        return _Remarks(raw_count_columns(found), input_notes(found))

    return step.memory.recall("remarks", _state_of(_count_files(step.study)), make)


def _state_of(files: Sequence[Path]) -> tuple[tuple[str, int, int], ...]:
    """Size and time of change of files: equal as long as nobody touches them."""
    states = [(path, path.stat()) for path in files if path.is_file()]
    return tuple((str(path), status.st_size, status.st_mtime_ns) for path, status in states)


def build_raw_counts(step: Step) -> Built:
    """Read, keep and store the count matrices."""
    before = _state_of(_count_files(step.study))
    matrices = _read_matrices(step)
    for matrix, _ in matrices:
        named = matrix.columns.filter(pl.col("kind") == "count")["count_id"].drop_nulls().to_list()
        refuse_erased(step, named, "count_ids", matrix.file.name)
    origin = []
    rows_in = set()
    for matrix, _ in matrices:
        for part in matrix.parts:
            kept = step.keep("counts", part.path)
            rows_in.add(part.path)
            origin.append(source_rows("counts", part.row_ids, part.lines, part.file.sha256, kept.path))
    for path in _count_files(step.study):
        if path not in rows_in:
            step.keep("counts", path)
    if before == _state_of(_count_files(step.study)):
        _remarks(step, [matrix for matrix, _ in matrices])
    genes, samples = matrices[0][0].counts.shape
    return Built(
        rows=raw_counts([matrix for matrix, _ in matrices]),
        source_rows=pl.concat(origin),
        metadata={
            "files": [matrix.file.name for matrix, _ in matrices],
            "format": matrices[0][0].format,
            "genes": genes,
            "samples": samples,
            "remarks": sum(len(matrix.notes) for matrix, _ in matrices),
        },
    )


def build_count_columns(step: Step) -> Built:
    """What the columns of the count files are."""
    return Built(rows=_remarks(step).columns)


def build_notes(step: Step) -> Built:
    """``expression.input_notes``."""
    return Built(rows=_remarks(step).notes)


# -- sample sheet -------------------------------------------------------------------------------------------------


def _samples(study: Study) -> Asset:
    assert study.expression is not None
    return Asset(
        table="raw.samples",
        description="The sample sheet as delivered: every cell is text.",
        group="raw",
        kinds=("file", "duckdb"),
        half="expression",
        key=("_row_id",),
        study_keys=("expression",),
        source_files=(study.folder / study.expression.samples.path,),
        code_version=code_version(build_raw_samples),
        build=build_raw_samples,
        columns=(Column("_row_id", "Hash of source, row content and occurrence"),),
    )


def build_raw_samples(step: Step) -> Built:
    """Read, keep and store the sample sheet."""
    declared = step.study.expression
    assert declared is not None
    path = step.study.resolve(declared.samples.path, "expression", "samples", "path")
    name = path.relative_to(step.study.folder).as_posix()
    table = read_text_table("samples", path, name=name, row_names=declared.samples.id)
    if declared.samples.subject is not None:
        refuse_erased(step, subjects_of(table.frame, (declared.samples.subject,)), "subjects", name)
    kept = step.keep("samples", path)
    row_ids = table.frame["_row_id"].to_list()
    return Built(
        rows=table.frame,
        source_rows=source_rows("samples", row_ids, table.lines, table.file.sha256, kept.path),
        metadata={"file": name, "sha256": table.file.sha256, "remarks": list(table.notes)},
    )
