"""The keeper of delivered files: every file ever read, compressed, under the SHA-256 of its content.

Belongs here: keeping, reading back and checking stored files. Does not belong here: parsing them.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

from fm_platform.warehouse.home import write_atomically


@dataclass(frozen=True)
class StoredFile:
    """A kept file: the hash of its content, and the hash of the compressed bytes on disk."""

    sha256: str
    stored_sha256: str
    size: int

    @property
    def name(self) -> str:
        """Its file name in the store."""
        return f"{self.sha256}.gz"


def keep(store: Path, path: Path) -> StoredFile:
    """Keep a file's content; a content that is already there is left as it is.

    Raises:
        EnvironmentFailure: The store cannot be written.
    """
    return keep_content(store, path.read_bytes())


def keep_content(store: Path, content: bytes) -> StoredFile:
    """Keep some content as a file of the store.

    Raises:
        EnvironmentFailure: The store cannot be written.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    target = store / f"{sha256}.gz"
    if not target.is_file() or problem(target, sha256, None) is not None:
        write_atomically(target, gzip.compress(content, compresslevel=6, mtime=0))
    return StoredFile(sha256, hashlib.sha256(target.read_bytes()).hexdigest(), len(content))


def problem(target: Path, sha256: str, stored_sha256: str | None) -> str | None:
    """What is wrong with a stored file, in words; None when it is as recorded."""
    try:
        stored = target.read_bytes()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if stored_sha256 is not None and hashlib.sha256(stored).hexdigest() != stored_sha256:
        return "has bytes that differ from those recorded"
    try:
        content = gzip.decompress(stored)
    except (OSError, EOFError, zlib.error):
        return "cannot be decompressed"
    if hashlib.sha256(content).hexdigest() != sha256:
        return "has content that differs from its name"
    return None
