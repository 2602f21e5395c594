"""The door of a home: what leaves is recorded in the ledger before the first byte of it is outside.

Belongs here: the lock, the publication as recorded, the export record, and the order of writing. Does not belong here:
what may leave (``releases``), the formats (``lineage.exchange``, ``report.data_docs``).

A crash, a full disk or a refusing collector can therefore leave a record of what did not leave, and never the reverse.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fm_platform.catalog.session import Actor
from fm_platform.errors import CheckFailed, EnvironmentFailure, InputError
from fm_platform.lineage.exports import KIND, Export, Holds, exports_of
from fm_platform.warehouse.database import WAREHOUSE_VARIABLE, Warehouse, open_warehouse
from fm_platform.warehouse.files import require_writable, write_recorded
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import LedgerRecord
from fm_platform.warehouse.lock import hold_lock
from fm_platform.warehouse.publish import file_sha256
from fm_platform.warehouse.reader import Published, open_published, require_published


@dataclass(frozen=True)
class Parcel:
    """What is to leave.

    Attributes:
        form: The format.
        holds: What it holds of people.
        contents: Path below the folder to content.
        facts: What else the record says.
        told: What is known of single files, by path: table, rows, columns.
    """

    form: str
    holds: Holds
    contents: Mapping[str, bytes]
    facts: Mapping[str, Any]
    told: Mapping[str, Mapping[str, Any]]


class Door:
    """An open door. Made by :func:`open_door`."""

    def __init__(self, home: Home, warehouse: Warehouse, published: Published, actor: Actor) -> None:
        self.home = home
        self.published = published
        self.actor = actor
        self._warehouse = warehouse
        (self.publication,) = published.query("SELECT number FROM audit.publication").row(0)

    @property
    def earlier(self) -> list[Export]:
        """What left before, oldest first."""
        return exports_of(self._warehouse.records_of(KIND))

    @property
    def publications(self) -> list[LedgerRecord]:
        """The ledger's records of the publications up to the present one, oldest first."""
        found = self._warehouse.records_of("publication")
        return [record for record in found if record.content["number"] <= self.publication]

    def let_out(
        self,
        parcel: Parcel,
        folder: Path | None,
        send: Callable[[], None] | None = None,
        sent_to: str | None = None,
    ) -> LedgerRecord:
        """Record what leaves, then let it go.

        Args:
            parcel: What leaves.
            folder: Where its files go; None: nowhere, they are only sent.
            send: Called once the record stands.
            sent_to: The address, for the record.

        Raises:
            EnvironmentFailure: The disk or the collector refuses.
        """
        if folder is not None:
            require_writable(folder, list(parcel.contents))
        with self._warehouse.transaction():
            record = self._warehouse.append(KIND, self._body(parcel, folder is not None, sent_to))
        if state := self.home.state():
            self.home.write_state({**state, "head": {"seq": record.seq, "hash": record.hash}})
        if folder is not None:
            write_recorded(folder, parcel.contents)
        if send is not None:
            send()
        return record

    def _body(self, parcel: Parcel, written: bool, sent_to: str | None) -> dict[str, Any]:
        return {
            **parcel.facts,
            "form": parcel.form,
            "holds": parcel.holds,
            "publication": self.publication,
            "files": [
                {
                    **parcel.told.get(name, {}),
                    "path": name,
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "bytes": len(content),
                }
                for name, content in sorted(parcel.contents.items())
            ],
            "written": written,
            **({"sent_to": sent_to} if sent_to else {}),
            "actor": self.actor.name,
            **({"reason": self.actor.reason} if self.actor.reason else {}),
        }


@contextmanager
def open_door(home: Home, reason: str | None = None) -> Iterator[Door]:
    """Hold the home's lock, and read its publication, for the length of an export.

    Args:
        home: The home.
        reason: Why something leaves, for the ledger.

    Raises:
        InputError: Nothing was published yet.
        CheckFailed: The published file is not the one that the ledger records.
        EnvironmentFailure: Another process holds the lock, or the home cannot be written: an export that cannot be
            recorded does not take place.
    """
    require_published(home)
    _require_ledger(home)
    run_id = str(uuid.uuid4())
    with hold_lock(home.lock, run_id, timeout=0):
        sha256 = file_sha256(home.published)
        home.scratch.mkdir(exist_ok=True)
        with open_warehouse(home, run_id) as warehouse, open_published(home) as published:
            said = (reason or "").strip() or None
            door = Door(home, warehouse, published, Actor.from_environment(said))
            _require_recorded(warehouse, door.publication, sha256)
            yield door


def _require_ledger(home: Home) -> None:
    mend = "an export is recorded in the ledger: export from the home itself, not from a copy of a part of it"
    if not home.work.exists() and WAREHOUSE_VARIABLE not in os.environ:
        raise InputError("there is no ledger beside the published file", file=home.path, mend=mend)
    for path in (home.path, home.work, home.lock):
        if path.exists() and not os.access(path, os.W_OK):
            raise EnvironmentFailure(
                "cannot be written",
                file=path,
                mend="an export is recorded in the ledger: use a home that you may write",
            )


def _require_recorded(warehouse: Warehouse, number: int, sha256: str) -> None:
    for record in warehouse.records_of("publication"):
        if record.content["number"] == number and record.content["sha256"] == sha256:
            return
    raise CheckFailed(
        f"the published file is not publication {number} as the ledger records it", mend="run `fm verify`"
    )


def require_reason(what: str, reason: str | None) -> None:
    """Refuse to let something out that k-anonymity does not judge, unless somebody says why.

    Raises:
        InputError: No reason is given.
    """
    if not (reason or "").strip():
        raise InputError(
            f"{what}, without any k-anonymity", mend="say why with --reason TEXT; it is recorded"
        )
