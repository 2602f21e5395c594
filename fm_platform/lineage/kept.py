"""Which files of a home's store its ledger names.

Belongs here: reading the records that name stored files. Does not belong here: the store itself (``sources.store``), or
comparing the two (``verify``).

Delivered files have ``source`` records. A study record names what study.yaml is read with (instruments of the study's
own, a file of contrasts), an environment record the lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fm_platform.lineage.environment import KIND as ENVIRONMENT
from fm_platform.lineage.erasures import KIND as ERASURE
from fm_platform.warehouse.ledger import LedgerRecord


def kept_files(records: Iterable[LedgerRecord]) -> dict[str, Mapping[str, Any]]:
    """SHA-256 of every file that should be in the store, with its entry: ``path``, ``stored_sha256``."""
    kept: dict[str, Mapping[str, Any]] = {}
    for record in records:
        if record.kind == "source":
            kept[record.content["sha256"]] = record.content
        elif record.kind == "study":
            kept.update({entry["sha256"]: entry for entry in record.content.get("files", ())})
        elif record.kind == ENVIRONMENT:
            lock = record.content["lock"]
            kept[lock["sha256"]] = lock
        elif record.kind == ERASURE:
            for entry in record.content["sources"]:
                kept.pop(entry["sha256"], None)
                if entry["now"] is not None:
                    kept[entry["now"]] = entry
    return kept
