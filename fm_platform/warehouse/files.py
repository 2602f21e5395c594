"""Files for people: in the home written aside, recorded, then moved into place; outside it recorded, then written.

Belongs here: these orders, finishing the first after a crash, and taking away what is no longer made. Does not belong
here: what the files say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryFile

from fm_platform.errors import EnvironmentFailure
from fm_platform.warehouse.home import Home, write_atomically


def stage_files(home: Home, files: Mapping[str, bytes]) -> dict[str, str]:
    """Write files aside.

    Args:
        home: The home whose lock the caller holds.
        files: Path relative to the home to content.

    Returns:
        Path to SHA-256, as the ledger records it.
    """
    digests = {}
    for name, content in sorted(files.items()):
        digests[name] = hashlib.sha256(content).hexdigest()
        write_atomically(_aside(home, digests[name]), content)
    return digests


def place_files(home: Home, recorded: Mapping[str, str]) -> list[str]:
    """Move recorded files into place; returns those that are neither aside nor in place."""
    lost = []
    for name, sha256 in recorded.items():
        target, aside = home.path / name, _aside(home, sha256)
        if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == sha256:
            continue
        if not aside.is_file():
            lost.append(name)
            continue
        write_atomically(target, aside.read_bytes())
    for sha256 in set(recorded.values()):
        _aside(home, sha256).unlink(missing_ok=True)
    return lost


def remove_outdated(home: Home, written: Iterable[Mapping[str, str]], kept: Collection[str]) -> list[str]:
    """Remove files that were made earlier and are made no longer.

    A file that someone else put there, or changed since, has other bytes than any that were recorded and stays.

    Args:
        home: The home whose lock the caller holds.
        written: Path to SHA-256, as earlier records have them.
        kept: Paths that some record still holds.

    Returns:
        The paths that were removed.
    """
    made: dict[str, set[str]] = {}
    for files in written:
        for name, sha256 in files.items():
            if name not in kept:
                made.setdefault(name, set()).add(sha256)
    removed = []
    for name, digests in sorted(made.items()):
        target = home.path / name
        if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() in digests:
            target.unlink()
            removed.append(name)
    return removed


def _aside(home: Home, sha256: str) -> Path:
    return home.scratch / f"file-{sha256}"


def require_writable(folder: Path, names: Iterable[str]) -> None:
    """Refuse a place outside the home where files could not be written, before anything is recorded.

    Args:
        folder: Where the files will go; it is made if it is not there.
        names: Their paths below it.

    Raises:
        EnvironmentFailure: It cannot be made or written to, or something else is in a file's place.
    """
    for parent in sorted({(folder / name).parent for name in names}):
        try:
            parent.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=parent):
                pass
        except OSError as error:
            raise EnvironmentFailure(
                f"cannot be written: {error.strerror}", file=parent, mend="name another place with -o"
            ) from error
    for target in (folder / name for name in names):
        if target.is_dir():
            raise EnvironmentFailure("is a folder", file=target, mend="name another place with -o")


def write_recorded(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files outside the home, once a record says so.

    Raises:
        EnvironmentFailure: The disk refuses.
    """
    for name, content in files.items():
        try:
            write_atomically(folder / name, content)
        except EnvironmentFailure as error:
            raise EnvironmentFailure(
                f"{error.message}; the export is recorded as if it had left", file=error.file, mend=error.mend
            ) from error
