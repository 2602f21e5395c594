"""What left before ``fm export tables``, and what a new export would tell together with it.

Belongs here: reading earlier exports from the ledger, and the tables they showed from publications. Does not belong
here: the comparisons themselves (``privacy.together``), judging one export alone (``releases``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fm_platform.catalog.asset import Asset
from fm_platform.catalog.disclosure.leaving import Door
from fm_platform.catalog.disclosure.leaving_tables import leaving_table
from fm_platform.catalog.graph import Catalog
from fm_platform.errors import CheckFailed, FmError
from fm_platform.lineage.exports import Export
from fm_platform.privacy.departures import COUNTS, Leaving, without_variables
from fm_platform.privacy.k_anonymity import Banding
from fm_platform.privacy.together import (
    Departed,
    counted_variables,
    few_in_between,
    finest,
    hidden_variables,
    smallest_class,
    tells_more,
    widths_of,
)
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.publish import snapshot_name
from fm_platform.warehouse.reader import open_file


@dataclass(frozen=True)
class NewRelease:
    """Tables that are to leave: their assets, what is in them, the banding of their numbers, the smallest class."""

    assets: Sequence[Asset]
    tables: Sequence[Leaving]
    banding: Banding
    k: int

    def without(self, variables: Sequence[Sequence[str]]) -> NewRelease:
        """The same, with some variables of each table left out."""
        left = [
            without_variables(own, names) if names else own
            for own, names in zip(self.tables, variables, strict=True)
        ]
        return replace(self, tables=left)


@dataclass(frozen=True)
class Objection:
    """What a new export would tell together with earlier ones, and the variables of counts that do so."""

    text: str
    variables: tuple[str, ...] = ()


def facts_of(
    own: Leaving, banding: Banding, suppressed: Sequence[str], without: Sequence[str]
) -> dict[str, Any]:
    """What the ledger keeps of a table that leaves, for the exports after it: names and widths, no value."""
    counted = counted_variables(own)
    return {
        **({"person": own.person} if own.person is not None and own.person not in without else {}),
        **({"quasi_identifiers": widths} if (widths := widths_of(own, banding)) else {}),
        **({"counted": sorted(counted)} if counted else {}),
        **({"suppressed": list(suppressed)} if suppressed else {}),
    }


class Earlier:
    """The exports of tables before this one."""

    def __init__(self, catalog: Catalog, home: Home, door: Door) -> None:
        self._catalog = catalog
        self._home = home
        self._door = door
        self._departed = [_departed(export) for export in door.earlier if export.holds == "tables"]
        self._hidden = hidden_variables(self._departed)

    def of_counts(self, asset: Asset, own: Leaving, k: int) -> list[Objection]:
        """What a table of counts tells together with earlier ones."""
        if own.table not in COUNTS:
            return []
        found = []
        again = counted_variables(own) & self._hidden
        if again:
            found.append(
                Objection(
                    f"{own.table} shows {', '.join(sorted(again))}, which an earlier export suppressed",
                    tuple(sorted(again)),
                )
            )
        declared = set(self._catalog.study.privacy.quasi_identifiers)
        for number, shown in sorted(self._by_publication().items()):
            both = counted_variables(own) & shown & declared
            if both:
                found += self._since(number, asset, own, sorted(both), k)
        return found

    def _by_publication(self) -> dict[int, frozenset[str]]:
        """The variables that left from each other publication."""
        found: dict[int, frozenset[str]] = {}
        for departed in self._departed:
            if departed.counted and departed.publication != self._door.publication:
                found[departed.publication] = found.get(departed.publication, frozenset()) | departed.counted
        return found

    def _since(
        self, number: int, asset: Asset, own: Leaving, variables: Sequence[str], k: int
    ) -> list[Objection]:
        kept = self._home.path / snapshot_name(number)
        then: Leaving | None = None
        if kept.is_file():
            with open_file(kept) as published:
                try:
                    then = leaving_table(self._catalog, published, asset, list(own.frame.columns))
                except FmError:
                    then = None
        if then is None:
            text = f"publication {number}, from which {', '.join(variables)} left, cannot be compared with this one"
            return [Objection(text, tuple(variables))]
        few = few_in_between(own, then, asset.key, variables, k)
        if not few:
            return []
        text = f"{own.table} left from publication {number}, and counts since"
        return [Objection(f"{text}, by {', '.join(few)}, fewer than {k} people more or less", few)]

    def of_people(self, new: NewRelease) -> list[Objection]:
        """What tables with a row a person tell when they are joined with earlier ones."""
        widths = [widths_of(own, new.banding) for own in new.tables]
        if not tells_more(widths, self._departed):
            return []
        k = max([new.k, *(departed.k for departed in self._departed if departed.columns)])
        columns: dict[str, set[str]] = {}
        for departed in self._departed:
            for table, shown in departed.columns.items():
                columns.setdefault(table, set()).update(shown)
        before = [self._as_left(table, names) for table, names in sorted(columns.items())]
        missing = sorted(table for table, own in zip(sorted(columns), before, strict=True) if own is None)
        if missing:
            return [Objection(f"{', '.join(missing)} left before and is not in this publication")]
        past = [widths for departed in self._departed for widths in departed.columns.values()]
        joined = [own for own in (*new.tables, *before) if own is not None]
        smallest, names = smallest_class(joined, finest([*widths, *past]))
        if smallest is None or smallest >= k:
            return []
        text = f"joined with what left before, these tables tell of {', '.join(names)}"
        return [Objection(f"{text}: the smallest class has {smallest}, and {k} are asked for")]

    def _as_left(self, table: str, names: set[str]) -> Leaving | None:
        """A table that left before, as this publication has it, with the columns that left; None without them."""
        asset = self._catalog.assets.get(table)
        if asset is None:
            return None
        try:
            present = self._door.published.schema(table)
            own = leaving_table(
                self._catalog, self._door.published, asset, [name for name in present if name not in names]
            )
        except FmError:
            return None
        known = names <= set(own.frame.columns)
        return replace(own, quasi_identifiers=tuple(sorted(names))) if known else None

    def require_together(self, new: NewRelease, *, accept: bool) -> list[Objection]:
        """Everything the new export tells together with earlier ones.

        Args:
            new: What is to leave.
            accept: Whether a reason was given.

        Returns:
            What the reason accepts.

        Raises:
            CheckFailed: It tells something, and no reason is given.
        """
        found = [
            objection
            for asset, own in zip(new.assets, new.tables, strict=True)
            for objection in self.of_counts(asset, own, new.k)
        ]
        counts = bool(found)
        found += self.of_people(new)
        if found and not accept:
            mend = "leave these variables out with --suppress" if counts else "use wider bands or --without"
            raise CheckFailed(
                "; ".join(objection.text for objection in found),
                mend=f"{mend}, or accept it with --reason TEXT, which is recorded (`fm exports` lists what left)",
            )
        return found


def _departed(export: Export) -> Departed:
    files = export.files
    return Departed(
        publication=export.publication,
        k=int(export.body["k"]["k_required"]),
        columns={file["table"]: file["quasi_identifiers"] for file in files if "quasi_identifiers" in file},
        counted=frozenset(name for file in files for name in file.get("counted", ())),
        suppressed=frozenset(name for file in files for name in file.get("suppressed", ())),
        revealed=frozenset(export.body["revealed"]),
    )
