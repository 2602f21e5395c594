"""A file's header against what is declared of its source: columns it must have, and columns it may lack.

Belongs here: column names only. Does not belong here: what is declared (``columns``), values (``rules``).
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from fm_platform.errors import InputError
from fm_platform.instruments.model import Instrument
from fm_platform.study.model import Study
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.declared import DeclaredColumn, columns_of_source
from fm_platform.validation.original_fiq import refuse_original_fiq

_HINTS = 3
"""How many lines of study.yaml a message points at."""


def required_columns(study: Study, instruments: Sequence[Instrument], source: str) -> tuple[str, ...]:
    """The file columns that a source must have: those that study.yaml names."""
    declared = columns_of_source(declared_columns(study, instruments), source)
    return tuple(entry.column for entry in declared if entry.kind != "field" and not entry.optional)


def optional_columns(study: Study, instruments: Sequence[Instrument], source: str) -> tuple[str, ...]:
    """The file columns that a source may lack: optional items that no map names."""
    declared = columns_of_source(declared_columns(study, instruments), source)
    return tuple(entry.column for entry in declared if entry.optional)


def require_columns(
    study: Study, instruments: Sequence[Instrument], source: str, header: Sequence[str], *, file: str
) -> None:
    """Check a file's header against the study.

    Args:
        study: The study.
        instruments: The loaded instruments, in the order of ``study.instruments``.
        source: The clinical source.
        header: The file's column names.
        file: The name that an error shows.

    Raises:
        InputError: A declared column is absent; the message names them and the nearest name in the file. Or an
            optional one is there in other letters, where it would pass for not collected.
    """
    _require_optional_spelling(study, instruments, source, header, file=file)
    absent = [name for name in required_columns(study, instruments, source) if name not in header]
    if not absent:
        return
    refuse_original_fiq(study, instruments, source, header, file=file)
    hint = "; ".join(_hints(study, instruments, source, absent, header))
    listed = ", ".join(absent[:8]) + (f" and {len(absent) - 8} more" if len(absent) > 8 else "")
    raise InputError(
        f"{len(absent)} declared column{'s are' if len(absent) > 1 else ' is'} not in the file: {listed}",
        file=file,
        line=1,
        column=absent[0],
        mend=f"{hint} (the file has: {', '.join(header[:12])}{', ...' if len(header) > 12 else ''})",
    )


def _hints(
    study: Study,
    instruments: Sequence[Instrument],
    source: str,
    absent: Sequence[str],
    header: Sequence[str],
) -> list[str]:
    """How to mend the absent columns: the nearest name of the file, and the line that declares the column."""
    declared = columns_of_source(declared_columns(study, instruments), source)
    used = {entry.column for entry in declared}
    hints: dict[int | None, str] = {}
    for entry in declared:
        line = study.line_of(*declared_at(study, instruments, entry))
        if entry.column not in absent or line in hints or len(hints) == _HINTS:
            continue
        place = "study.yaml" + (f":{line}" if line is not None else "")
        free = get_close_matches(entry.column, [name for name in header if name not in used], n=1)
        taken = get_close_matches(entry.column, header, n=1)
        if free:
            hints[line] = f"rename {free[0]!r} to {entry.column!r}, or correct {place}"
        elif taken:
            hints[line] = f"correct {place} (did you mean {taken[0]!r}?), or add the column to the file"
        else:
            hints[line] = f"correct {place}, or add the column to the file"
    return list(hints.values())


def declared_at(
    study: Study, instruments: Sequence[Instrument], entry: DeclaredColumn
) -> tuple[str | int, ...]:
    """The key of study.yaml that declares a column."""
    declared = study.clinical[entry.source]
    if entry.column in declared.columns.get(entry.role, ()):
        return ("clinical", entry.source, "columns", entry.role)
    for index, (use, instrument) in enumerate(zip(study.instruments, instruments, strict=True)):
        if use.source == entry.source and instrument.id == entry.instrument:
            return ("instruments", index, "total" if entry.kind == "total" else "items")
    for index, outcome in enumerate(study.outcomes):
        if outcome.column is not None and outcome.column == entry.role:
            return ("outcomes", index, "column")
    if entry.column in declared.units:
        return ("clinical", entry.source, "units", entry.column)
    if entry.role in study.population:
        return ("population", entry.role)
    return ("strata",) if entry.role == study.strata else ("clinical", entry.source)


def _require_optional_spelling(
    study: Study, instruments: Sequence[Instrument], source: str, header: Sequence[str], *, file: str
) -> None:
    folded = {name.casefold(): name for name in header}
    for column in optional_columns(study, instruments, source):
        delivered = folded.get(column.casefold(), column)
        if delivered != column:
            raise InputError(
                f"{delivered!r} differs from the optional item's column {column!r} in capitals only",
                file=file,
                line=1,
                column=delivered,
                mend=f"write {column} in the header, or name its column under `items:` in study.yaml",
            )
