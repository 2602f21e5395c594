"""Files for people, in the home or leaving it: written aside, recorded, then moved into place.

Belongs here: the order of those three, and finishing it after a crash. Does not belong here: what the files say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

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


def _aside(home: Home, sha256: str) -> Path:
    return home.scratch / f"file-{sha256}"


def write_aside(folder: Path, files: Mapping[str, bytes]) -> dict[Path, Path]:
    """Write files that are to leave the home beside their places, so that a full disk is noticed before any record.

    Args:
        folder: Where they go.
        files: Path relative to the folder to content.

    Returns:
        The place of each to the file that waits beside it.

    Raises:
        EnvironmentFailure: The disk refuses; no file is left behind.
    """
    waiting: dict[Path, Path] = {}
    try:
        for name, content in files.items():
            target = folder / name
            if target.is_dir():
                raise EnvironmentFailure("is a folder", file=target, mend="name a file, or another folder")
            aside = target.with_name(f"{target.name}.leaving")
            waiting[target] = aside
            write_atomically(aside, content)
    except EnvironmentFailure:
        drop_aside(waiting)
        raise
    return waiting


def drop_aside(waiting: Mapping[Path, Path]) -> None:
    """Remove what waits."""
    for aside in waiting.values():
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def move_in(waiting: Mapping[Path, Path]) -> None:
    """Give what waits its name.

    Raises:
        EnvironmentFailure: The disk refuses.
    """
    for target, aside in waiting.items():
        try:
            aside.replace(target)
        except OSError as error:
            raise EnvironmentFailure(
                f"cannot be written: {error.strerror}; the export is recorded already",
                file=target,
                mend=f"look for {aside.name} beside it, or export again",
            ) from error
