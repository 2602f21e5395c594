"""Where the code runs: Python, platform, commit and lock, as a ledger record; and what each table was made with.

Belongs here: taking these facts, and reading back which code, libraries and environment stood behind a record. Does not
belong here: what makes a table stale (``libraries`` and ``code``; what stands here makes nothing stale).
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fm_platform.lineage.code_state import CodeOf, code_of
from fm_platform.lineage.libraries import PYTHON
from fm_platform.warehouse.ledger import LedgerRecord, sha256_text

KIND: Final = "environment"
LOCK = "requirements.lock"
INSTALLED = "installed distributions"
CONTEXT: Final = ("study", "code", KIND)
"""Kinds of record that hold until the next of their kind."""

_ROOT = Path(__file__).resolve().parents[2]
_CODE = ("fm_platform", "dbt_like_sql", LOCK, "pyproject.toml")
_PATIENCE = 20
"""Seconds that git may take."""


@dataclass(frozen=True)
class MadeWith:
    """What stood behind a table when it was made, as far as the ledger says.

    Attributes:
        code: Its files and libraries.
        environment: The body of the environment record.
    """

    code: CodeOf = field(default_factory=CodeOf)
    environment: Mapping[str, Any] = field(default_factory=dict)

    @property
    def distributions(self) -> dict[str, str]:
        """Name to version of all third-party code, and of Python: the whole version where it is recorded."""
        python = {PYTHON: str(self.environment["python"])} if self.environment else {}
        return {**self.code.libraries, **python}


class Contexts:
    """The study, code and environment records of a ledger: which of them held at any other record."""

    def __init__(self, records: Iterable[tuple[int, str, Mapping[str, Any]]]) -> None:
        self._records = sorted(records, key=lambda record: record[0])

    @classmethod
    def of(cls, records: Iterable[LedgerRecord]) -> Contexts:
        """Those among some records."""
        return cls((record.seq, record.kind, record.content) for record in records if record.kind in CONTEXT)

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[int, str, str]]) -> Contexts:
        """Those in rows of seq, kind and body."""
        return cls((seq, kind, json.loads(body)) for seq, kind, body in rows if kind in CONTEXT)

    def before(self, kind: str, seq: int) -> Mapping[str, Any] | None:
        """The body of the last record of a kind before a record."""
        found = [body for at, what, body in self._records if what == kind and at < seq]
        return found[-1] if found else None

    def made_with(self, table: str, seq: int) -> MadeWith:
        """What stood behind the materialization of a table."""
        code = code_of(table, self.before("code", seq)) or CodeOf()
        return MadeWith(code, self.before(KIND, seq) or {})


def environment_state() -> dict[str, Any]:
    """The body of the record, less the lock, whose text the caller keeps (:func:`lock_text`).

    Returns:
        ``python`` (whole version), ``implementation``, ``system``, ``machine``, ``libc``, ``package`` (version of the
        platform), ``commit`` and ``modified`` (None without a checkout or git), ``installed`` (SHA-256 of the list of
        installed distributions).
    """
    from importlib import metadata

    commit, modified = _commit()
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
        "libc": " ".join(part for part in platform.libc_ver() if part),
        "package": metadata.version("fm-platform"),
        "commit": commit,
        "modified": modified,
        "installed": sha256_text(_installed_text()),
    }


def lock_text() -> tuple[str, str]:
    """The list of libraries that the code was installed from: its name and text.

    The checkout's lock; without one, the installed distributions with their versions.
    """
    lock = _ROOT / LOCK
    if lock.is_file() and (_ROOT / "pyproject.toml").is_file():
        return LOCK, lock.read_text(encoding="utf-8")
    return INSTALLED, _installed_text()


def together(behind: Iterable[MadeWith]) -> tuple[dict[str, str], dict[str, str]]:
    """What several tables were made with: versions by library, and environments in words; different ones in a row."""
    libraries: dict[str, set[str]] = {}
    environments: dict[str, set[str]] = {}
    for entry in behind:
        for name, version in entry.code.libraries.items():
            libraries.setdefault(name, set()).add(version)
        for name, words in in_words(entry.environment).items():
            environments.setdefault(name, set()).add(words)
    return (
        {name: ", ".join(sorted(versions)) for name, versions in libraries.items()},
        {name: "; ".join(sorted(words)) for name, words in environments.items()},
    )


def in_words(body: Mapping[str, Any]) -> dict[str, str]:
    """An environment record for people: what it is, and its value; empty for records without one."""
    if not body:
        return {}
    commit, lock = body.get("commit"), body.get("lock") or {}
    changed = {True: " with local changes", False: "", None: ""}[body.get("modified")]
    system = " ".join(str(body[key]) for key in ("system", "machine", "libc") if body.get(key))
    return {
        "Python": f"{body['implementation']} {body['python']}",
        "platform": system,
        "package": f"fm-platform {body['package']}" + (f", commit {commit}{changed}" if commit else ""),
        "lock": f"{lock['path']} {lock['sha256']}" if lock else f"{INSTALLED} {body['installed']}",
    }


def _installed_text() -> str:
    """All installed distributions, one a line, from the names of their metadata folders."""
    found = {
        "==".join(path.name.removesuffix(".dist-info").rsplit("-", 1))
        for entry in dict.fromkeys(sys.path)
        if entry and os.path.isdir(entry)
        for path in Path(entry).glob("*.dist-info")
    }
    return "".join(f"{line}\n" for line in sorted(found))


def _commit() -> tuple[str | None, bool | None]:
    """The commit of the checkout that this code is in, and whether the code differs from it."""
    if not (_ROOT / ".git").exists():
        return None, None
    try:
        commit = _git("rev-parse", "HEAD").strip()
        return commit, bool(_git("status", "--porcelain", "--", *_CODE).strip())
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(*arguments: str) -> str:
    finished = subprocess.run(
        ["git", "-C", str(_ROOT), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=_PATIENCE,
        env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
    )
    return finished.stdout
