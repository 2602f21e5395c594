"""What was found out about models and modules before, kept in a folder that may be deleted at any time.

Belongs here: entries named by the digest of everything that they follow from, and what to do when one cannot be
read. Does not belong here: what is kept (loader.py, tracing.py, ``lineage.code``). What the ledger records of a model,
its lineage and version, is computed from the model's text when the table is made; of a module's syntax tree, the digest
is taken from here while every byte of the module is the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_ENTRIES = 20_000
"""When a new entry finds more than this many, the older half goes."""


@dataclass(frozen=True)
class Cache:
    """Entries below a folder; without a folder nothing is kept.

    Attributes:
        folder: Holds one file an entry.
        version: Of the code and libraries whose findings these are; a part of every entry's name.
    """

    folder: Path | None = None
    version: str = ""

    @classmethod
    def of_user(cls, version: str) -> Cache:
        """The cache of this user: the folder ``FM_CACHE`` (empty: none), else the one that XDG names."""
        named = os.environ.get("FM_CACHE")
        if named is not None:
            return cls(Path(named) if named else None, version)
        base = os.environ.get("XDG_CACHE_HOME")
        try:
            root = Path(base) if base else Path.home() / ".cache"
        except RuntimeError:
            return cls(None, version)
        return cls(root / "fm_platform" / "models", version)

    def name_of(self, *parts: Any) -> str:
        """The digest of everything that an entry follows from."""
        return _digest(json.dumps([self.version, *parts], sort_keys=True))

    def get(self, name: str) -> Any:
        """An entry, or None: never kept, unreadable, or not as it was written."""
        if self.folder is None:
            return None
        try:
            text = (self.folder / name[:2] / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        digest, _, body = text.partition("\n")
        if digest != _digest(name + body):
            return None
        return json.loads(body)

    def put(self, name: str, value: Any) -> None:
        """Keep an entry, whole or not at all. A folder that cannot be written keeps nothing."""
        if self.folder is None:
            return
        body = json.dumps(value)
        target = self.folder / name[:2] / name
        with contextlib.suppress(OSError):
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".new-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(f"{_digest(name + body)}\n{body}")
                os.replace(temporary, target)
            except OSError:
                os.unlink(temporary)
                raise
        if name.startswith("00"):  # one name in 256: often enough, and hardly ever
            self.prune()

    def prune(self) -> None:
        """Drop the older half of the entries when there are too many."""
        if self.folder is None or not self.folder.is_dir():
            return
        with contextlib.suppress(OSError):
            entries = sorted(
                (path for path in self.folder.glob("*/*") if path.is_file()),
                key=lambda path: path.stat().st_mtime,
            )
            if len(entries) > MOST_ENTRIES:
                for path in entries[: len(entries) // 2]:
                    path.unlink(missing_ok=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
