"""Which column of a study's source holds which item.

Belongs here: reading ``items:`` of study.yaml against an instrument. Does not belong here: looking into the
source; whether a column exists is the caller's to find out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping

from fm_platform.errors import InputError
from fm_platform.instruments.consistency import nearest
from fm_platform.instruments.model import Instrument
from fm_platform.study.clinical import InstrumentUse
from fm_platform.study.model import Study

_PLACE = re.compile(r"\{([^{}]*)\}")
_NUMBER = re.compile(r"^n(?::0?(\d))?$")
Complain = Callable[[str, str], InputError]


def columns_of(use: InstrumentUse, instrument: Instrument, *, study: Study | None = None) -> dict[str, str]:
    """Map every item of an instrument to its column.

    ``items:`` may be a pattern (``{n}`` is the item's number from 1, ``{n:02}`` with leading zeros, ``{id}``
    its id), a map from item id or number to column, or absent (columns are named like the items).

    Args:
        use: The entry of ``instruments:``.
        instrument: What it uses.
        study: For errors that name the line of study.yaml.

    Returns:
        Item id to column, in the order of the form. Optional items that a map does not name are absent.

    Raises:
        InputError: A pattern without a place for the number, an unknown item, an item left out, a column used
            twice.
    """

    def complain(message: str, mend: str) -> InputError:
        if study is not None and use in study.instruments:
            return study.error(message, "instruments", study.instruments.index(use), "items", mend=mend)
        return InputError(message, mend=mend)

    if use.recorded_only:
        if not use.totals:
            raise complain(
                f"instrument {use.use}: `items: none` leaves nothing", "name the recorded `total:`"
            )
        return {}
    if use.items is None:
        columns = {item: item for item in instrument.item_ids}
    elif isinstance(use.items, str):
        columns = _from_pattern(use.items, instrument, complain)
    else:
        columns = _from_map(use.items, instrument, complain)
    for column, times in Counter(columns.values()).items():
        if times > 1:
            raise complain(
                f"instrument {use.use}: column {column!r} stands for two items", "give each its own column"
            )
    return columns


def _from_pattern(pattern: str, instrument: Instrument, complain: Complain) -> dict[str, str]:
    places = _PLACE.findall(pattern)
    for place in places:
        if place != "id" and not _NUMBER.match(place):
            raise complain(f"items: {{{place}}} is not known in a pattern", "use {n}, {n:02} or {id}")
    if not places:
        raise complain(
            f"items: {pattern!r} names one column for all items", "write {n} where the item's number stands"
        )

    def fill(number: int, item: str) -> str:
        def place(match: re.Match[str]) -> str:
            if match[1] == "id":
                return item
            width = _NUMBER.match(match[1])
            return str(number).zfill(int(width[1]) if width and width[1] else 0)

        return _PLACE.sub(place, pattern)

    return {item: fill(number, item) for number, item in enumerate(instrument.item_ids, start=1)}


def _from_map(items: Mapping[str, str], instrument: Instrument, complain: Complain) -> dict[str, str]:
    numbers = {str(number): item for number, item in enumerate(instrument.item_ids, start=1)}
    named: dict[str, str] = {}
    for key, column in items.items():
        item = numbers.get(key, key)
        if item not in instrument.item_ids:
            raise complain(f"items: {instrument.id} has no item {key!r}", nearest(key, instrument.item_ids))
        if item in named:
            raise complain(f"items: item {item} is mapped twice", "keep one of the two")
        named[item] = column
    left_out = [item.id for item in instrument.items if item.id not in named and not item.optional]
    if left_out:
        raise complain(
            f"items: no column for {', '.join(left_out[:5])}{' ...' if len(left_out) > 5 else ''}",
            "map every item; a questionnaire that was collected in part is an instrument file of its own",
        )
    return {item: named[item] for item in instrument.item_ids if item in named}
