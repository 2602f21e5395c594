"""One writer at a time: the OS lock on ``home/lock``, and a lock a live run holds on a file of its own.

Belongs here: taking, naming and releasing locks. Does not belong here: what a holder does with it.
An OS lock goes away with its process, so a killed run never keeps the next one out.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from fm_platform.errors import EnvironmentFailure


@dataclass(frozen=True)
class Holder:
    """Who holds a home's lock."""

    pid: int
    run_id: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} (run {self.run_id}), since {self.since}"


def read_holder(lock_file: Path) -> Holder | None:
    """Who the lock file names; the named process may have ended meanwhile."""
    try:
        content = json.loads(lock_file.read_text(encoding="utf-8") or "{}")
        return Holder(int(content["pid"]), str(content["run_id"]), str(content["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def hold_lock(
    lock_file: Path,
    run_id: str,
    *,
    on_wait: Callable[[Holder | None], None] | None = None,
    timeout: float | None = None,
    poll: float = 0.2,
) -> Iterator[None]:
    """Hold the home's lock, waiting for whoever has it.

    Args:
        lock_file: ``home/lock``.
        run_id: Written into the file for those who wait.
        on_wait: Called once with the holder when there is one to wait for.
        timeout: Seconds to wait; None waits for ever.
        poll: Seconds between tries.

    Raises:
        EnvironmentFailure: The lock cannot be opened, or the time ran out.
    """
    try:
        handle = lock_file.open("a+", encoding="utf-8")
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot be opened: {error.strerror}", file=lock_file, mend="check the permissions of the home"
        ) from error
    try:
        _wait_for(handle, lock_file, on_wait, timeout, poll)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        handle.seek(0)
        handle.truncate()
        handle.write(json.dumps({"pid": os.getpid(), "run_id": run_id, "since": since}))
        handle.flush()
        yield
    finally:
        handle.close()


def _wait_for(
    handle: IO[str],
    lock_file: Path,
    on_wait: Callable[[Holder | None], None] | None,
    timeout: float | None,
    poll: float,
) -> None:
    deadline = None if timeout is None else time.monotonic() + timeout
    told = False
    while not _try_lock(handle):
        holder = read_holder(lock_file)
        if on_wait is not None and not told:
            on_wait(holder)
            told = True
        if deadline is not None and time.monotonic() > deadline:
            raise EnvironmentFailure(
                f"the home is locked by {holder or 'another process'}",
                file=lock_file,
                mend="wait for that run to end, or end it",
            )
        time.sleep(poll)


def _try_lock(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def mark_alive(alive_folder: Path, run_id: str) -> Iterator[None]:
    """Hold a lock on ``alive/<run_id>`` for as long as this process works on the run."""
    alive_folder.mkdir(parents=True, exist_ok=True)
    path = alive_folder / run_id
    with path.open("a+", encoding="utf-8") as handle:
        fcntl.flock(handle.fileno(), fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def is_alive(alive_folder: Path, run_id: str) -> bool | None:
    """Whether a process holds the run's lock; None when the run never took one."""
    path = alive_folder / run_id
    try:
        handle = path.open("a+", encoding="utf-8") if path.exists() else None
    except OSError:
        return None
    if handle is None:
        return None
    with handle:
        return not _try_lock(handle)
