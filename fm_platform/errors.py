"""The platform's own exceptions, each with the exit code that a shell sees.

Belongs here: error types that carry file, line, column and the mend. Does not belong here: catching, printing or
translating them (the command line and the Dagster layer do that).
"""

from __future__ import annotations

from pathlib import Path


class FmError(Exception):
    """An error meant for the person at the keyboard.

    Args:
        message: What is wrong, in one sentence.
        file: The file it was found in.
        line: 1-based line in that file.
        column: The column's name.
        mend: What to do about it.
    """

    exit_code = 4

    def __init__(
        self,
        message: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        column: str | None = None,
        mend: str | None = None,
    ) -> None:
        self.message = message
        self.file = str(file) if file is not None else None
        self.line = line
        self.column = column
        self.mend = mend
        super().__init__(self._render())

    def _render(self) -> str:
        where = ""
        if self.file is not None:
            where = self.file + (f":{self.line}" if self.line is not None else "")
        if self.column is not None:
            where += f", column {self.column!r}" if where else f"column {self.column!r}"
        text = f"{where}: {self.message}" if where else self.message
        if not self.mend:
            return text
        stop = "" if text.endswith((".", "!", "?")) else "."
        return f"{text}{stop} Mend: {self.mend}"


class InputError(FmError):
    """The input or the configuration is wrong (exit code 2)."""

    exit_code = 2


class CheckFailed(FmError):
    """A blocking check failed or a verification found an alteration (exit code 1)."""

    exit_code = 1


class EnvironmentFailure(FmError):
    """Lock, disk or permission (exit code 3)."""

    exit_code = 3
