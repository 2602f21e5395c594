"""What a row plays behind a cell: which of its cells, in which roles; and numbers for that.

Belongs here: numbering, and reading numbers back. Does not belong here: following links (``behind``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Played = Mapping[str, frozenset[str]]
"""Role to the columns of the row's cells that play it; the column "" is the row as a whole."""
NOTHING = frozenset[str]()


class Plays:
    """Numbers of what rows play, given as they are met."""

    def __init__(self) -> None:
        self._numbers: dict[frozenset[tuple[str, frozenset[str]]], int] = {}
        self._played: list[Played] = []

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return len(self._played)

    def number(self, played: Played) -> int:
        """The number of what a row plays."""
        found = self._numbers.setdefault(frozenset(played.items()), len(self._played))
        if found == len(self._played):
            self._played.append(dict(played))
        return found

    def of(self, number: int) -> Played:
        """What a number stands for."""
        return self._played[number]

    def united(self, numbers: Iterable[int]) -> int:
        """The number of all that several numbers stand for.

        >>> plays = Plays()
        >>> one, other = plays.number({"value": frozenset("a")}), plays.number({"value": frozenset("b")})
        >>> sorted(plays.of(plays.united([one, other]))["value"])
        ['a', 'b']
        """
        found: dict[str, frozenset[str]] = {}
        for number in numbers:
            for role, cells in self._played[number].items():
                found[role] = found.get(role, NOTHING) | cells
        return self.number(found)

    def playing(self, column: str, role: str) -> list[int]:
        """The numbers of what has a cell of a column in a role."""
        return [at for at, played in enumerate(self._played) if column in played.get(role, NOTHING)]
