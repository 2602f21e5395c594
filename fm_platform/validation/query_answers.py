"""What the cells that data queries ask about hold in the present delivery.

Belongs here: reading those cells, and saying what differs from when a query was asked. Does not belong here: which
cells they are (``query_cells``), or the states that follow (``query_history``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from fm_platform.study.model import Study
from fm_platform.validation.declared import DeclaredColumn
from fm_platform.validation.query_cells import (
    OF_ABSENCE,
    OF_SAMPLES,
    OF_STAGED,
    OF_UNREAD_KEYS,
    SAMPLES,
    Cells,
    cells_asked,
)
from fm_platform.validation.raw_source import RawSource, Relation
from fm_platform.warehouse.frames import frame_of
from fm_platform.warehouse.names import identifier

if TYPE_CHECKING:
    import duckdb

_DIGITS = 12
_SHOWN = 3
_ROWS_OF = "rows of "
_SUBJECT, _EVENT, _TEXT = "fm_subject", "fm_event", "fm_visit_text"


@dataclass(frozen=True)
class Held:
    """What a query's cells hold now.

    Attributes:
        cells: ``visits.fatigue@week_4`` to its text; ``rows of visits@week_4`` to their number.
        in_force: Whether study.yaml gives the rule anything to ask.
        own: The name of the cell that the query is about, if it is about one.
        delivered: Whether the row that is asked about is there.
        among: For a row whose key cannot be read: the name of the count of rows that it is among.
        set_aside: Whether the rule cannot have looked at it, because the gate set the row aside.
    """

    cells: Mapping[str, str] = field(default_factory=dict)
    in_force: bool = True
    own: str = ""
    delivered: bool = True
    among: str = ""
    set_aside: bool = False

    @property
    def kept(self) -> str:
        """The cells as a query keeps them: digests instead of texts, so that they can be compared but not read."""
        return as_kept({name: _digest(name, text) for name, text in self.cells.items()})

    def removed(self, kept: str) -> bool:
        """Whether the row is gone; one whose key was mended is there under another."""
        if not self.among:
            return not self.delivered
        return int(self.cells[self.among]) < int(json.loads(kept).get(self.among, 0))

    def changes(self, kept: str) -> dict[str, str]:
        """The cells that differ from those kept, with what is to be kept of them now."""
        then, now = json.loads(kept), json.loads(self.kept)
        return {name: now.get(name, "") for name in sorted({*then, *now}) if then.get(name) != now.get(name)}

    def told(self, kept: str, value: str | None) -> str:
        """What changed since, in words; a text is shown only where the query itself shows it."""
        then, now = json.loads(kept), json.loads(self.kept)
        words = []
        for name in sorted(self.changes(kept), key=lambda name: (name != self.own, name)):
            if name.startswith(_ROWS_OF):
                words.append(f"{name}: {then.get(name, '0')}, now {now.get(name, '0')}")
            elif name == self.own and value is not None:
                words.append(f"{name} was {value!r}, is {self.cells.get(name, '')!r}")
            else:
                words.append(f"{name} changed")
        more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
        return "; ".join(words[:_SHOWN]) + more


def as_kept(cells: Mapping[str, str]) -> str:
    """Cells and their digests as text, the same text for the same cells."""
    return json.dumps(dict(sorted(cells.items())), ensure_ascii=False)


def held_cells(
    con: duckdb.DuckDBPyConnection,
    study: Study,
    columns: Sequence[DeclaredColumn],
    relation: Relation,
    queries: Sequence[Mapping[str, Any]],
    *,
    present: Collection[str],
    set_aside: Collection[tuple[str, str | None, str | None]] = (),
) -> list[Held]:
    """What the cells of each query hold now.

    Args:
        con: A connection that sees the raw tables.
        study: The study.
        columns: Every declared column of the study.
        relation: Names tables.
        queries: Rows with rule, source, subject, event and item.
        present: The sources whose raw table exists, ``samples`` included.
        set_aside: Source, subject and event of the rows that the gate set aside.

    Returns:
        One entry a query.
    """
    asked = [cells_asked(q["rule"], q["source"], q["item"], study, columns) for q in queries]
    reading = _Reading(con, study, tuple(columns), relation, queries, asked, present)
    aside = set(set_aside)
    return [reading.held(query, cells, aside) for query, cells in zip(queries, asked, strict=True)]


Row = Mapping[str, Any]


class _Reading:
    """The rows of the subjects that queries are about, by source and subject."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        study: Study,
        columns: tuple[DeclaredColumn, ...],
        relation: Relation,
        queries: Sequence[Mapping[str, Any]],
        asked: Sequence[Sequence[Cells]],
        present: Collection[str],
    ) -> None:
        self.baseline = next((visit.id for visit in study.visits if visit.baseline), None)
        wanted: dict[str, set[str]] = {query["source"]: set() for query in queries}
        for cells in (one for several in asked for one in several):
            wanted.setdefault(cells.source, set()).update(cells.columns)
        subjects = pl.DataFrame(
            {_SUBJECT: pl.Series([q["subject"] for q in queries], dtype=pl.String)}
        ).unique()
        self.rows: dict[tuple[str, str | None], list[Row]] = {}
        self.totals: dict[str, int] = {}
        self.samples: Sequence[Row] = ()
        for source in sorted(set(wanted) & set(present)):
            if source == SAMPLES:
                self.samples = _sample_rows(con, study, relation)
                continue
            if source not in study.clinical:
                continue
            rows = _rows(con, RawSource(study, columns, source, relation), sorted(wanted[source]))
            self.totals[source] = rows.height
            for row in rows.join(subjects, on=_SUBJECT, how="semi", nulls_equal=True).to_dicts():
                self.rows.setdefault((source, row[_SUBJECT]), []).append(row)

    def held(
        self,
        query: Mapping[str, Any],
        asked: Sequence[Cells],
        set_aside: set[tuple[str, str | None, str | None]],
    ) -> Held:
        """What one query's cells hold."""
        source, subject, event = query["source"], query["subject"], query["event"]
        if query["rule"] == OF_SAMPLES:
            return self._of_sample(query, asked)
        cells: dict[str, str] = {}
        for one in asked:
            cells |= self._read(one, subject, event)
        own = self._at(source, subject, event, "row" if event is not None else "subject")
        needs_row = bool(source) and query["rule"] not in OF_ABSENCE
        places = {one.source for one in asked} if query["rule"] in OF_STAGED else set()
        return Held(
            cells=cells,
            in_force=bool(asked),
            own=_named(source, query["item"] or "", event),
            among=_count_name(asked[-1], event) if asked and query["rule"] in OF_UNREAD_KEYS else "",
            delivered=not needs_row or bool(own),
            set_aside=any((place, subject, event) in set_aside for place in places),
        )

    def _at(self, source: str, subject: str | None, event: str | None, scope: str) -> list[Row]:
        rows = self.rows.get((source, subject), [])
        if scope == "subject":
            return rows
        events = {event, self.baseline} if scope == "baseline" else {event}
        return [row for row in rows if row[_TEXT if scope == "text" else _EVENT] in events]

    def _read(self, asked: Cells, subject: str | None, event: str | None) -> dict[str, str]:
        rows = self._at(asked.source, subject, event, asked.scope)
        if not asked.columns:
            count = self.totals.get(asked.source, 0) if asked.scope == "source" else len(rows)
            return {_count_name(asked, event): str(count)}
        found: dict[str, set[str]] = {}
        for row in rows:
            for column in asked.columns:
                found.setdefault(_named(asked.source, column, row[_EVENT]), set()).add(row[column] or "")
        return {name: " | ".join(sorted(texts)) for name, texts in found.items()}

    def _of_sample(self, query: Mapping[str, Any], asked: Sequence[Cells]) -> Held:
        """A sample is found by its id: its subject and visit are what is asked about."""
        own = [row for row in self.samples if row["sample"] == query["item"]]
        twins = [
            row
            for row in self.samples
            if (row["subject"], row["event"]) == (query["subject"], query["event"])
        ]
        cells = {_count_name(Cells(SAMPLES), query["event"]): str(len(twins))}
        cells |= {
            f"{SAMPLES}.{name}@{row['sample']}": row[name] or ""
            for row in own
            for name in ("subject", "event")
        }
        for one in asked:
            if one.source != SAMPLES:
                cells |= self._read(one, query["subject"], None)
        return Held(cells=cells, in_force=bool(self.samples), delivered=bool(own))


def _rows(con: duckdb.DuckDBPyConnection, source: RawSource, columns: Iterable[str]) -> pl.DataFrame:
    delivered = {row[0] for row in con.sql(f"describe {source.table}").fetchall()}
    listed = "".join(
        f", trim(r.{identifier(name)}) as {identifier(name)}" for name in columns if name in delivered
    )
    absent = [pl.lit(None, pl.String).alias(name) for name in columns if name not in delivered]
    sql = f"""select k.subject_id as {_SUBJECT}, coalesce(k.visit_id, k.visit_text) as {_EVENT},
    k.visit_text as {_TEXT}{listed}
from ({source.keys}) as k join {source.table} as r on r._row_id = k._row_id"""
    return frame_of(con.sql(sql)).with_columns(absent)


def _sample_rows(con: duckdb.DuckDBPyConnection, study: Study, relation: Relation) -> Sequence[Row]:
    if study.expression is None:
        return []
    sheet, table = study.expression.samples, relation("raw.samples")
    delivered = {row[0] for row in con.sql(f"describe {table}").fetchall()}
    wanted = {"sample": sheet.id, "subject": sheet.subject, "event": sheet.visit}
    listed = ", ".join(
        f"trim({identifier(name)}) as {role}"
        if name and name in delivered
        else f"cast(null as varchar) as {role}"
        for role, name in wanted.items()
    )
    return frame_of(con.sql(f"select {listed} from {table}")).to_dicts()


def _named(source: str, column: str, event: str | None) -> str:
    name = f"{source}.{column}" if column else source
    return name if event is None else f"{name}@{event}"


def _count_name(asked: Cells, event: str | None) -> str:
    among = {"subject": " of the subject", "source": ""}.get(asked.scope)
    return f"{_ROWS_OF}{_named(asked.source, '', event) if among is None else asked.source + among}"


def _digest(name: str, text: str) -> str:
    if name.startswith(_ROWS_OF):
        return text
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
