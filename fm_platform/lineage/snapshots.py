"""Published snapshots over time: what there is, what A and B may be called, what is pinned, what may go.

Belongs here: lists, names, locks and the retention rule, from the ledger's facts. Does not belong here: comparing two
snapshots (``diff``), or removing a file (``warehouse.publish``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fm_platform.errors import InputError
from fm_platform.lineage.history import History
from fm_platform.warehouse.home import Home

LATEST = "latest"
_CAUSES = {
    "source": "delivered", "study": "study.yaml", "code": "code", "library": "library", "decision": "decision",
    "half": "half",
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Lock:
    """A name that somebody pinned a snapshot under."""

    name: str
    number: int
    reason: str
    actor: str
    at: str


@dataclass(frozen=True)
class Snapshot:
    """One publication.

    Attributes:
        number: Its number, from 1.
        at: When it was published (ISO 8601, UTC).
        file: Its file below the home.
        sha256: Of that file.
        bytes: Size of that file.
        tables: How many tables it holds.
        head: The ledger head it was made at.
        seq: Ledger sequence number of its own record.
        actor: Who published it.
        reason: Why, as far as they said.
        causes: What made it differ from the publication before (:mod:`fm_platform.lineage.causes`).
        locks: Names that pin it.
        kept: Whether its file is still kept.
    """

    number: int
    at: str
    file: str
    sha256: str
    bytes: int
    tables: int
    head: str
    seq: int
    actor: str
    reason: str | None = None
    causes: tuple[Mapping[str, Any], ...] = ()
    locks: tuple[Lock, ...] = ()
    kept: bool = True

    @property
    def said_by(self) -> str:
        """Who published, and why as far as they said."""
        return f"{self.actor}: {self.reason}" if self.reason else self.actor

    @property
    def differs_by(self) -> str:
        """Its causes in one line; empty where the ledger records none."""
        parts = []
        for cause in self.causes:
            if cause["kind"] == "first":
                return "the first publication"
            rest = int(cause["n"]) - len(cause["names"])
            more = f" and {rest} more" if rest else ""
            parts.append(f"{_CAUSES[cause['kind']]} {', '.join(cause['names'])}{more}")
        return "; ".join(parts)


def snapshots_of(history: History) -> list[Snapshot]:
    """Every publication of a home, oldest first."""
    return [
        Snapshot(
            number=int(facts["number"]),
            at=str(facts["at"]),
            file=str(facts["snapshot"]),
            sha256=str(facts["sha256"]),
            bytes=int(facts["bytes"]),
            tables=int(facts["tables"]),
            head=str(facts["head"][1]),
            seq=int(facts["seq"]),
            actor=str(facts["actor"]),
            reason=facts.get("reason"),
            causes=tuple(facts.get("causes", ())),
            locks=tuple(_lock(lock) for lock in history.locks if lock["number"] == facts["number"]),
            kept=int(facts["number"]) not in history.pruned,
        )
        for facts in history.publications
    ]


def find_snapshot(name: str, history: History, home: Home) -> Snapshot:
    """The snapshot that a number, a lock's name or ``latest`` stands for.

    Raises:
        InputError: There is none, or its file is gone.
    """
    found = named_snapshot(name, history, home)
    if not found.kept or not (home.path / found.file).is_file():
        raise InputError(
            f"snapshot {found.number} is not kept any more",
            mend=f"there are: {_choices(snapshots_of(history))}; `fm lock` pins a snapshot, `keep_snapshots` says how "
            "many stay",
        )
    return found


def named_snapshot(name: str, history: History, home: Home) -> Snapshot:
    """The publication that a number, a lock's name or ``latest`` stands for, whether its file is kept or not.

    Raises:
        InputError: There is none.
    """
    known = snapshots_of(history)
    if not known:
        raise InputError(
            "nothing is published here yet",
            file=home.path,
            mend="run `fm refresh`, or name the home with --home",
        )
    found: Snapshot | None
    if name == LATEST:
        found = known[-1]
    elif name.isdecimal():
        found = next((snapshot for snapshot in known if snapshot.number == int(name)), None)
    else:
        found = next((s for s in known if any(lock.name == name for lock in s.locks)), None)
    if found is None:
        raise InputError(f"no snapshot {name!r}", mend=f"there are: {_choices(known)}")
    return found


def require_new_name(name: str, history: History) -> None:
    """Refuse a name for a lock that could be taken for something else, or is taken.

    Raises:
        InputError: The name is a number, ``latest``, malformed, or in use.
    """
    if name == LATEST or not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot name a lock",
            mend="begin with a letter; letters, digits, dot, hyphen and underscore may follow; not `latest`",
        )
    taken = next((lock for lock in history.locks if lock["name"] == name), None)
    if taken is not None:
        raise InputError(
            f"{name!r} names snapshot {taken['number']} since {taken['at'][:10]}", mend="choose another name"
        )


def to_prune(history: History, keep: int) -> list[dict[str, Any]]:
    """The snapshots that the retention rule lets go: all unpinned ones but the newest ``keep``.

    Args:
        history: The ledger's latest facts.
        keep: How many unpinned snapshots stay; at least 1, so the newest always does.

    Returns:
        Number, file and hash of each, oldest first.
    """
    pinned = {int(lock["number"]) for lock in history.locks}
    loose = [
        {"number": facts["number"], "snapshot": facts["snapshot"], "sha256": facts["sha256"]}
        for facts in history.publications
        if facts["number"] not in pinned and facts["number"] not in history.pruned
    ]
    return loose[: max(0, len(loose) - max(1, keep))]


def _lock(body: Mapping[str, Any]) -> Lock:
    return Lock(body["name"], int(body["number"]), body["reason"], body["actor"], body["at"])


def _choices(known: list[Snapshot]) -> str:
    names = [lock.name for snapshot in known for lock in snapshot.locks if snapshot.kept]
    numbers = [snapshot.number for snapshot in known if snapshot.kept]
    listed = [str(number) for number in numbers[-8:]]
    return ", ".join([*names, *(["..."] if len(numbers) > 8 else []), *listed, LATEST])
