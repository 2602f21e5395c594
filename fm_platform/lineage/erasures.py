"""What erasure records say: which stored files and snapshots were replaced, and who may not be delivered again.

Belongs here: reading these records. Does not belong here: making them (``catalog.erasure``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fm_platform.warehouse.ledger import LedgerRecord, sha256_text

KIND: Final = "erasure"


@dataclass(frozen=True)
class Erasures:
    """All erasures of a home so far.

    Attributes:
        sources: SHA-256 of a stored file as delivered to that of its redacted copy, None where it was removed.
        snapshots: SHA-256 of a snapshot as published to that of its redacted copy.
        records: The bodies, in order.
    """

    sources: Mapping[str, str | None] = field(default_factory=dict)
    snapshots: Mapping[str, str] = field(default_factory=dict)
    records: tuple[Mapping[str, Any], ...] = ()

    def source_now(self, sha256: str) -> str | None:
        """Under which hash a delivered file is stored now; None if it was removed."""
        now: str | None = sha256
        while now is not None and now in self.sources:
            now = self.sources[now]
        return now

    def snapshot_now(self, sha256: str) -> str:
        """The hash that a published file has now."""
        while sha256 in self.snapshots:
            sha256 = self.snapshots[sha256]
        return sha256

    def erased(self, names: Iterable[str], what: str) -> list[str]:
        """Those of some names that an erasure took out.

        Args:
            names: Ids as delivered.
            what: ``subjects`` or ``count_ids``.
        """
        hashes = {entry for record in self.records for entry in record[what]}
        return sorted(name for name in set(names) if name_hash(name) in hashes)


def erasures_of(records: Iterable[LedgerRecord]) -> Erasures:
    """What the ledger says of erasures."""
    bodies = tuple(record.content for record in records if record.kind == KIND)
    return Erasures(
        {entry["sha256"]: entry["now"] for body in bodies for entry in body["sources"]},
        {entry["sha256"]: entry["now"] for body in bodies for entry in body["snapshots"]},
        bodies,
    )


def name_hash(name: str) -> str:
    """How an erased id stands in the ledger."""
    return sha256_text(f"erased {name}")
