"""The rows that rest on some delivered rows and on no others.

Belongs here: telling them. Does not belong here: what is done with them (an erasure deletes them).
"""

from __future__ import annotations

from typing import Any

from fm_platform.lineage.impact.origin import Origin
from fm_platform.lineage.links.ahead import Ahead
from fm_platform.lineage.links.book import GIVES, LinkBook, texts
from fm_platform.warehouse.answers import Answer
from fm_platform.warehouse.names import identifier, literal, quoted_table
from fm_platform.warehouse.reader import Published


def rows_alone(published: Published, origin: Origin) -> dict[str, list[dict[str, Any]]]:
    """Table to the keys of its rows whose values come from the origin's delivered rows and from no others.

    Rows of count matrices hold the counts of all samples and are left out, as is what is computed from them.

    Args:
        published: The open publication; one of the first version has no links, and its rows name their ids themselves.
        origin: The delivered rows.
    """
    book = LinkBook(published)
    if not book.present:
        return {}
    ids: dict[str, list[str]] = {}
    for row in origin.rows:
        ids.setdefault(f"raw.{row.source}", []).append(literal(row.row_id))
    clinical = [
        table for table in book.order if book.delivered(table) and table not in ("raw.counts", "raw.samples")
    ]
    own = [(table, "", f"t._row_id IN ({', '.join(ids[table])})") for table in clinical if table in ids]
    others = [
        (table, "", f"t._row_id NOT IN ({', '.join(ids[table])})" if table in ids else "true")
        for table in clinical
    ]
    connection = published.connection
    Ahead(book, others)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE fm_others AS SELECT DISTINCT tbl, row FROM fm_ahead WHERE role IN {texts(GIVES)}"
    )
    Ahead(book, own)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE fm_alone AS SELECT DISTINCT tbl, row FROM fm_ahead WHERE role IN {texts(GIVES)} "
        "AND (tbl, row) NOT IN (SELECT tbl, row FROM fm_others)"
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for (table,) in connection.execute("SELECT DISTINCT tbl FROM fm_alone ORDER BY tbl").fetchall():
        listed = ", ".join(f"t.{identifier(name)}" for name in book.keys[table])
        found[table] = Answer.of(
            connection.sql(
                f"SELECT {listed} FROM {quoted_table(table)} AS t "
                f"WHERE t.rowid IN (SELECT row FROM fm_alone WHERE tbl = {literal(table)})"
            )
        ).to_dicts()
    return found
