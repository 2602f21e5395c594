"""File names and links of the site.

Belongs here: where a table, column or file is told of, as a relative link. Does not belong here: pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

FOLDER = "site"


@cache
def slug(name: str) -> str:
    """A name as part of a file name or fragment; different names stay different."""
    return re.sub(r"[^A-Za-z0-9_.]", lambda found: f"-{ord(found[0]):x}-", name)


def column_anchor(column: str) -> str:
    """The fragment of a column on its table's page."""
    return f"column-{slug(column)}"


def source_anchor(path: str) -> str:
    """The fragment of a delivered file on the page of sources."""
    return f"file-{slug(path)}"


def table_page(table: str) -> str:
    """A table's page, below the site's folder."""
    return f"tables/{slug(table)}.html"


@dataclass(frozen=True)
class Links:
    """Links as seen from one page.

    Attributes:
        up: ``""`` on pages at the top, ``"../"`` on those of tables.
        known: Tables that have a page; others lead nowhere.
    """

    up: str
    known: frozenset[str]

    def table(self, table: str) -> str:
        """To a table's page; empty when it has none."""
        return f"{self.up}{table_page(table)}" if table in self.known else ""

    def column(self, table: str, column: str) -> str:
        """To a column; empty when its table has no page, or when the column is the platform's own."""
        page = self.table(table)
        return f"{page}#{column_anchor(column)}" if page and not column.startswith("_") else page

    def source(self, path: str) -> str:
        """To a delivered file."""
        return f"{self.up}sources.html#{source_anchor(path)}"
