"""What one step of a run hands on to later ones: a file that was read, a model that was fitted.

Belongs here: keeping one value a name for the length of a session. Does not belong here: anything that must outlive the
run (that is a table), or that decides what a table holds: a value must be what making it again would give.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Value = TypeVar("Value")


class Memory:
    """One value a name, the latest."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Hashable, Any]] = {}

    def recall(self, name: str, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value kept under a name if it was made for this key, else a new one, kept in its place.

        Args:
            name: What it is.
            key: Everything that the value depends on.
            make: Makes it.
        """
        kept = self._kept.get(name)
        if kept is not None and kept[0] == key:
            value: Value = kept[1]
            return value
        self._kept.pop(name, None)
        value = make()
        self._kept[name] = (key, value)
        return value
