"""FM020: a delivery of the original FIQ where the revised one (FIQR) is declared.

Belongs here: telling the two questionnaires by a file's header. Does not belong here: other absent columns
(``columns``), scores.

The original FIQ (1991) has ten scored items, or twenty with its function sub-items, on other scales (days of the
week, 0..3): its numbers must never be read as FIQR answers, which are 21 boxes of 0..10.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fm_platform.errors import InputError
from fm_platform.instruments.mapping import columns_of
from fm_platform.instruments.model import Instrument
from fm_platform.study.model import Study
from fm_platform.validation.rules import FIQR

ORIGINAL_ITEMS = (10, 20)
_ORIGINAL_NAME = re.compile(r"^fiq[_-]?[a-z]?[_-]?0?\d+[a-j]?$", re.IGNORECASE)


def refuse_original_fiq(
    study: Study, instruments: Sequence[Instrument], source: str, header: Sequence[str], *, file: str
) -> None:
    """Refuse a file with the items of the original FIQ in place of the FIQR's.

    Args:
        study: The study.
        instruments: The loaded instruments, in the order of ``study.instruments``.
        source: The clinical source.
        header: The file's column names.
        file: The name that an error shows.

    Raises:
        InputError: The first 10 or 20 FIQR columns are there and no later one, or the columns are named ``fiq1``,
            ``fiq2``... and those of the FIQR are absent.
    """
    for use, instrument in zip(study.instruments, instruments, strict=True):
        if instrument.id != FIQR or use.source != source or use.recorded_only:
            continue
        present = [column in header for column in columns_of(use, instrument, study=study).values()]
        first = sum(present) in ORIGINAL_ITEMS and all(present[: sum(present)])
        named = [column for column in header if _ORIGINAL_NAME.match(column)]
        if first or (not any(present) and len(named) >= ORIGINAL_ITEMS[0]):
            raise InputError(
                f"this is the original FIQ ({sum(present) if first else len(named)} items), not the revised one of "
                "21 items (FM020)",
                file=file,
                line=1,
                column=named[0] if named and not first else next(name for name in header if name),
                mend="deliver the FIQR; a study with the original FIQ needs an instrument file of its own",
            )
