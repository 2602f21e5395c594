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
from fm_platform.validation.declared import columns_of_source
from fm_platform.validation.original_fiq import refuse_original_fiq


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
    near = get_close_matches(absent[0], list(header), n=1)
    hint = f"rename {near[0]!r} or correct" if near else "correct the header or"
    listed = ", ".join(absent[:8]) + (f" and {len(absent) - 8} more" if len(absent) > 8 else "")
    raise InputError(
        f"{len(absent)} declared column{'s are' if len(absent) > 1 else ' is'} not in the file: {listed}",
        file=file,
        line=1,
        column=absent[0],
        mend=f"{hint} `clinical: {source}:` in study.yaml (the file has: {', '.join(header[:12])}"
        f"{', ...' if len(header) > 12 else ''})",
    )


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
