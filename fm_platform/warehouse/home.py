"""A home: the folder that holds one study's warehouse, kept sources, reports and Dagster instance.

Belongs here: where things are in a home, and the small ``state.json`` that readers use instead of the work database.
Does not belong here: the lock, DuckDB, or the study's content.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fm_platform.errors import EnvironmentFailure, InputError

STATE_VERSION = 1


@dataclass(frozen=True)
class Home:
    """Paths of one home. Nothing is created until :meth:`ensure`."""

    path: Path

    @property
    def work(self) -> Path:
        """The database that runs write to."""
        return self.path / "work.duckdb"

    @property
    def published(self) -> Path:
        """The plain DuckDB file that readers open."""
        return self.path / "warehouse.duckdb"

    @property
    def snapshots(self) -> Path:
        """Every publication, by number."""
        return self.path / "snapshots"

    @property
    def sources(self) -> Path:
        """Every file ever read, under its SHA-256."""
        return self.path / "sources"

    @property
    def dagster(self) -> Path:
        """DAGSTER_HOME."""
        return self.path / "dagster"

    @property
    def reports(self) -> Path:
        """The report, its figures and tables."""
        return self.path / "reports"

    @property
    def lock(self) -> Path:
        """The file whose OS lock makes a process the one writer."""
        return self.path / "lock"

    @property
    def state_file(self) -> Path:
        """What schedules, sensors and status read."""
        return self.path / "state.json"

    @property
    def scratch(self) -> Path:
        """Temporary files of the holder of the lock."""
        return self.path / "tmp"

    @property
    def alive(self) -> Path:
        """One locked file a live run."""
        return self.path / "dagster" / "alive"

    def ensure(self) -> None:
        """Create the folders.

        Raises:
            EnvironmentFailure: The home cannot be written to.
        """
        try:
            for folder in (
                self.path,
                self.snapshots,
                self.sources,
                self.dagster,
                self.reports,
                self.alive,
                self.scratch,
            ):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFailure(
                f"the home cannot be created: {error.strerror}",
                file=self.path,
                mend="name another folder with --home, or give yourself write permission",
            ) from error

    def state(self) -> dict[str, Any]:
        """The content of ``state.json``; empty for a home that was never refreshed.

        Raises:
            EnvironmentFailure: The file is there but cannot be read.
        """
        try:
            text = self.state_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise EnvironmentFailure(
                f"cannot be read: {error.strerror}",
                file=self.state_file,
                mend="check the permissions of the home",
            ) from error
        try:
            state = json.loads(text)
        except json.JSONDecodeError as error:
            raise EnvironmentFailure(
                "is not valid JSON",
                file=self.state_file,
                line=error.lineno,
                mend="delete this file; the next refresh writes it anew",
            ) from error
        return state if isinstance(state, dict) else {}

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Replace ``state.json`` in one step."""
        write_atomically(self.state_file, json.dumps(state, indent=1, sort_keys=True).encode())

    def bound_study(self) -> tuple[str, Path] | None:
        """The study id and folder this home belongs to, if any."""
        binding = self.state().get("study")
        return (str(binding["id"]), Path(binding["folder"])) if binding else None

    def check_binding(self, study_id: str) -> None:
        """Refuse another study's data.

        Raises:
            InputError: The home belongs to another study.
        """
        bound = self.bound_study()
        if bound and bound[0] != study_id:
            raise InputError(
                f"this home belongs to study {bound[0]!r}, not {study_id!r}",
                file=self.path,
                mend="give the other study its own folder with --home",
            )


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new content, never a part.

    Raises:
        EnvironmentFailure: The disk refuses.
    """
    temporary = path.with_name(path.name + f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise EnvironmentFailure(
            f"cannot be written: {error.strerror}", file=path, mend="check free space and permissions"
        ) from error
