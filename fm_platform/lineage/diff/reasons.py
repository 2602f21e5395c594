"""The reasons of a comparison: what acts on each table first, numbered and put in words.

Belongs here: one reason a cause, shared by all it acts on. Does not belong here: which rows a reason reaches
(``rows``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fm_platform.lineage.diff.model import Reason, ReasonKind
from fm_platform.lineage.diff.records import Made, Records, StudyChange, code_change, study_changes
from fm_platform.lineage.diff.sources import SourceChange

_SHOWN = 4


class Reasons:
    """All reasons found so far."""

    def __init__(self) -> None:
        self.known: list[Reason] = []
        self._ids: dict[str, int] = {}

    def add(
        self, kind: ReasonKind, text: str, facts: Mapping[str, Any], table: str, columns: tuple[str, ...] = ()
    ) -> int:
        """The number of a reason; one that is known already acts on one more table."""
        identity = json.dumps([kind, facts], sort_keys=True, default=str)
        if identity not in self._ids:
            self._ids[identity] = len(self.known) + 1
            self.known.append(Reason(len(self.known) + 1, kind, text, facts, table, columns))
        return self._ids[identity]

    def source(self, change: SourceChange) -> int:
        """A delivered row, or many of one source."""
        old, new = change.places
        facts = {
            "source": change.table.split(".", 1)[1],
            "change": change.change,
            "file": (new or old or ("", 0, ""))[0],
            "old": _place(old),
            "new": _place(new),
            "cells": [
                {"column": column, "old": before, "new": after} for column, before, after in change.cells
            ],
            "rows": change.many or 1,
            **({"rule": change.text} if change.text else {}),
        }
        kind: ReasonKind = "gate" if change.text else "source"
        return self.add(kind, _source_text(change), facts, change.table, change.columns)

    def local(self, records: Records, table: str) -> list[int]:
        """What differs between the two materializations of a table, apart from its inputs."""
        old, new = records.made["a"][table], records.made["b"][table]
        found = [
            self._study(change, table)
            for change in study_changes(records, old, new)
            if not change.descriptive or _shows_labels(table, new)
        ]
        found += self._code(table, old, new)
        before, after = (made.body["parts"].get("extra", {}).get("decisions") for made in (old, new))
        if before != after:
            facts = {"table": table, "old": before, "new": after}
            found.append(self.add("decision", "a decision was taken (`fm accept`)", facts, table))
        return found

    def family(
        self,
        table: str,
        group: Mapping[str, Any],
        members: Sequence[Mapping[str, Any]],
        columns: tuple[str, ...],
    ) -> int:
        """Other members of a multiplicity family whose p-values moved."""
        named = ", ".join(f"{name}={value}" for name, value in group.items())
        shown = "; ".join(
            f"{' '.join(str(v) for v in member['key'].values() if v is not None)}: "
            f"{_short(member['old'])} -> {_short(member['new'])}"
            for member in members[:_SHOWN]
        )
        more = f" and {len(members) - _SHOWN} more" if len(members) > _SHOWN else ""
        text = f"{table}: p-values of the family {named} moved ({shown}{more})"
        facts = {
            "table": table,
            "family": dict(group),
            "members": list(members[:20]),
            "n_members": len(members),
        }
        return self.add("family", text, facts, table, columns)

    def unexplained(self, table: str) -> int:
        """Values differ although nothing that the ledger records does."""
        text = f"{table}: inputs, settings, code and libraries are recorded as the same"
        return self.add("unexplained", text, {"table": table}, table)

    def _study(self, change: StudyChange, table: str) -> int:
        line = change.new_line or change.old_line
        where = f"study.yaml:{line}" if line else "study.yaml"
        facts = {
            "key": change.key, "old": change.old, "new": change.new,
            "old_line": change.old_line, "new_line": change.new_line,
        }  # fmt: skip
        return self.add(
            "study", f"{where} {change.key}: {_short(change.old)} -> {_short(change.new)}", facts, table
        )

    def _code(self, table: str, old: Made, new: Made) -> list[int]:
        change = code_change(table, old, new)
        if change is None:
            return []
        found = [
            self.add(
                "library",
                f"library {name}: {before} -> {after}",
                {"library": name, "old": before, "new": after},
                table,
            )
            for name, before, after in change.libraries
        ]
        if change.files or not found:
            listed = ", ".join(change.files[:_SHOWN])
            more = f" and {len(change.files) - _SHOWN} more files" if len(change.files) > _SHOWN else ""
            text = f"code changed: {listed}{more}" if change.files else f"the checks of {table} changed"
            facts = {"files": list(change.files), **({} if change.files else {"table": table})}
            found.append(self.add("code", text, facts, table))
        return found


def _shows_labels(table: str, made: Made) -> bool:
    """Whether what is only a label can act on a table by itself."""
    return table.split(".", maxsplit=1)[0] in ("study", "report") or any(
        "label" in name for name, _ in made.body["columns"]
    )


def _place(place: tuple[str, int, str] | None) -> dict[str, Any] | None:
    return {"file": place[0], "line": place[1], "sha256": place[2]} if place else None


def _source_text(change: SourceChange) -> str:
    old, new = change.places
    if change.many:
        return f"{change.table}: {change.many:,} delivered rows {change.change}"
    place = new or old
    where = f"{place[0]}:{place[1]}" if place else change.table
    if change.change != "changed":
        row = ", ".join(
            str(value)
            for name, value in (change.row or {}).items()
            if not name.startswith("_") and value is not None
        )
        detail = change.text or (f"({row[:80]})" if row else "")
        return f"{where} row {change.change} {detail}".rstrip()
    moved = f" (line {old[1]} before)" if old and new and old[1] != new[1] else ""
    cells = "; ".join(
        f"{column}: {_short(was)} -> {_short(now)}" for column, was, now in change.cells[:_SHOWN]
    )
    more = f" and {len(change.cells) - _SHOWN} more cells" if len(change.cells) > _SHOWN else ""
    return f"{where}{moved} {cells}{more}"


def _short(value: Any) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
