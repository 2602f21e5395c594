"""The sample table: each row of the sample sheet tied to its place in the count matrix.

Belongs here: reading roles off the sheet and building ``expression.samples``. Does not belong here: how ids
are matched (``reconcile``) and which samples a contrast uses (``contrasts``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from fm_platform.errors import InputError
from fm_platform.expression.designs.reconcile import IdMapping, match_ids
from fm_platform.expression.designs.spellings import refuse_spellings
from fm_platform.sources.delimited import LINE
from fm_platform.study.expression import SamplesSource

PLATFORM_COLUMNS = ("sample_id", "count_id", "position", "subject_id", "visit_id", "reason")
"""Columns of ``expression.samples`` that do not come from the sheet under their own name."""

SHEET_PREFIX = "sheet_"
"""Put before a sheet column whose name the platform uses for something else."""

NO_COUNTS = "the sheet gives no sample name of the count matrix"


@dataclass(frozen=True)
class ResolvedSamples:
    """The samples of a study.

    Attributes:
        frame: ``expression.samples``: sample_id, count_id, position (1-based place in
            ``expression.counts.counts``; null when the sample has no counts), subject_id, visit_id, reason
            (why a sample has no position), the sheet's own columns as text. Sorted by position,
            samples without counts last. ``_line`` is there if the sheet had it.
        mapping: How the ids were matched.
    """

    frame: pl.DataFrame
    mapping: IdMapping


def resolve_samples(
    sheet: pl.DataFrame,
    samples: SamplesSource,
    count_ids: Sequence[str],
    *,
    reconcile: str | None = None,
    visit_of: Callable[[str], str | None] | None = None,
    gene_ids: Collection[str] = (),
    file: Path | str | None = None,
) -> ResolvedSamples:
    """Tie every row of the sample sheet to a column of the count matrix.

    Args:
        sheet: The sheet as delivered: ``_row_id`` and text columns; ``_line``, if known, is shown in errors.
        samples: Which columns of the sheet play which role.
        count_ids: The matrix's sample names, in matrix order.
        reconcile: See :func:`~fm_platform.expression.designs.reconcile.match_ids`.
        visit_of: Turns a text of the visit column into a visit id (None: not a planned visit); default: the
            text.
        gene_ids: The matrix's gene ids, if known: a sheet that names these is of samples in rows.
        file: The sheet, for errors.

    Raises:
        InputError: A role's column is missing, an id is empty or repeated, a subject or visit has several spellings,
            or the ids do not match one to one.
    """
    _require_columns(sheet, samples, file)
    sample_ids = [text or "" for text in sheet[samples.id].to_list()]
    empty = [index + 1 for index, name in enumerate(sample_ids) if not name]
    if empty:
        raise InputError(
            f"the sample sheet has no id in row {', '.join(map(str, empty[:5]))} of its data",
            file=file,
            column=samples.id,
            mend="give every sample an id, or remove the row",
        )
    repeated = sorted({name for name in sample_ids if sample_ids.count(name) > 1})
    if repeated:
        raise InputError(
            f"sample ids appear more than once: {', '.join(repeated[:10])}",
            file=file,
            column=samples.id,
            mend="give every row of the sample sheet its own id",
        )
    named = [text or "" for text in sheet[samples.count_id or samples.id].to_list()]
    mapping = match_ids(
        [name for name in named if name], count_ids, reconcile=reconcile, gene_ids=gene_ids, file=file
    )
    count_id_of = {pair.sheet_id: pair.count_id for pair in mapping.matches}
    place = {name: index + 1 for index, name in enumerate(count_ids)}
    matched = [count_id_of.get(name) for name in named]
    own = pl.DataFrame(
        {
            "sample_id": pl.Series(sample_ids, dtype=pl.String),
            "count_id": pl.Series(matched, dtype=pl.String),
            "position": pl.Series([place[name] if name else None for name in matched], dtype=pl.Int32),
            "subject_id": _role(sheet, samples.subject, None),
            "visit_id": _role(sheet, samples.visit, visit_of),
            "reason": pl.Series([None if name else NO_COUNTS for name in matched], dtype=pl.String),
        }
    )
    frame = pl.concat([own, _sheet_columns(sheet, own)], how="horizontal")
    if LINE in sheet.columns:
        frame = frame.with_columns(sheet[LINE])
    _refuse_spelled_roles(sheet, samples, frame, file)
    return ResolvedSamples(frame.sort("position", nulls_last=True, maintain_order=True), mapping)


def _refuse_spelled_roles(
    sheet: pl.DataFrame, samples: SamplesSource, frame: pl.DataFrame, file: Path | str | None
) -> None:
    """Refuse subjects in several spellings, and visits where study.yaml does not say what each spelling stands for."""
    for column, role, translated in (
        (samples.subject, "subject", None),
        (samples.visit, "visit", "visit_id"),
    ):
        if column is None:
            continue
        written = sheet[column] if translated is None else frame[translated].fill_null(sheet[column])
        try:
            refuse_spellings(frame.with_columns(_written=written), "_written", column, what=role)
        except InputError as error:
            raise InputError(error.message, file=file, column=column, mend=error.mend) from None


def _require_columns(sheet: pl.DataFrame, samples: SamplesSource, file: Path | str | None) -> None:
    absent = absent_role(sheet, samples)
    if absent is not None:
        raise InputError(absent.message, file=file, mend=absent.mend)


@dataclass(frozen=True)
class AbsentRole:
    """A role of the sheet whose column is not there, and what to say of it."""

    role: str
    message: str
    mend: str


def absent_role(sheet: pl.DataFrame, samples: SamplesSource) -> AbsentRole | None:
    """The first role that names a column which the sheet does not have."""
    available = [name for name in sheet.columns if not name.startswith("_")]
    for role in ("id", "count_id", "subject", "visit"):
        name = getattr(samples, role)
        if name is not None and name not in available:
            near = get_close_matches(name, available, n=1)
            return AbsentRole(
                role,
                f"the sample sheet has no column {name!r} (declared as {role})",
                (f"did you mean {near[0]!r}? " if near else "") + f"its columns: {', '.join(available)}",
            )
    return None


def _role(
    sheet: pl.DataFrame, column: str | None, translate: Callable[[str], str | None] | None
) -> pl.Series:
    if column is None:
        return pl.Series([None] * sheet.height, dtype=pl.String)
    texts = [text or None for text in sheet[column].to_list()]
    if translate is not None:
        texts = [translate(text) if text else None for text in texts]
    return pl.Series(texts, dtype=pl.String)


def _sheet_columns(sheet: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """The sheet's columns as text; what repeats a platform column is left out, what clashes is renamed."""
    columns: dict[str, pl.Series] = {}
    for name in sheet.columns:
        if name.startswith("_"):
            continue
        twin = name.casefold()
        if twin not in PLATFORM_COLUMNS:
            columns[name] = sheet[name]
        elif [text or None for text in sheet[name]] != [None if v is None else str(v) for v in own[twin]]:
            columns[SHEET_PREFIX + name] = sheet[name]
    return pl.DataFrame(columns)
