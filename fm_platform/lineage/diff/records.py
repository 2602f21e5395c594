"""The records behind the tables of two snapshots: how each was made, by which study.yaml and which code.

Belongs here: reading the ledger that a snapshot holds, and what differs between two materializations of one table.
Does not belong here: rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from fm_platform.lineage.code_state import CodeOf, code_of
from fm_platform.lineage.environment import Contexts
from fm_platform.yaml_lines import YamlDocument, parse_yaml

SIDES = ("a", "b")


@dataclass(frozen=True)
class Made:
    """The materialization behind a table of a snapshot, with the study and code records that it was made under."""

    seq: int
    body: Mapping[str, Any]
    study: Mapping[str, Any]
    code: Mapping[str, Any] | None

    @property
    def key(self) -> tuple[str, ...]:
        """The table's key."""
        return tuple(self.body["key"])

    @property
    def lineage(self) -> Mapping[str, Sequence[Sequence[str]]]:
        """Column to its inputs: table, column, kind, transformation."""
        found: Mapping[str, Sequence[Sequence[str]]] = self.body.get("column_lineage", {})
        return found

    @property
    def inputs(self) -> tuple[str, ...]:
        """The tables it was made from."""
        return tuple(self.body["parts"]["inputs"])


@dataclass
class Records:
    """The records behind both snapshots.

    Attributes:
        made: For each side, table to materialization.
        digests: For each side, table to value digest.
    """

    made: dict[str, dict[str, Made]] = field(default_factory=dict)
    digests: dict[str, dict[str, str]] = field(default_factory=dict)
    _documents: dict[str, YamlDocument] = field(default_factory=dict)

    def of(self, table: str) -> Made:
        """The newer materialization that there is."""
        return self.made["b"].get(table) or self.made["a"][table]

    @cached_property
    def tables(self) -> list[str]:
        """All tables of either side, upstream first."""
        from graphlib import TopologicalSorter

        names = {*self.made["a"], *self.made["b"]}
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for name in sorted(names):
            sorter.add(name, *(upstream for upstream in self.of(name).inputs if upstream in names))
        return list(sorter.static_order())

    def origin(self, table: str, column: str) -> tuple[str, str]:
        """The column that a column is a copy of, as far back as single copies go."""
        seen = {(table, column)}
        while table in self.made["a"] or table in self.made["b"]:
            taken = {(e[0], e[1]) for e in self.of(table).lineage.get(column, ()) if e[2] == "DIRECT"}
            if len(taken) != 1 or taken & seen:
                break
            seen |= taken
            table, column = taken.pop()
        return table, column

    def changed(self, table: str) -> bool:
        """Whether the values of a table differ."""
        return self.digests["a"].get(table) != self.digests["b"].get(table)

    def study(self, made: Made) -> YamlDocument:
        """The study.yaml that a table was made under."""
        digest = str(made.study.get("sha256", ""))
        if digest not in self._documents:
            self._documents[digest] = parse_yaml(str(made.study.get("text", "")), Path("study.yaml"))
        return self._documents[digest]


def read_records(connection: duckdb.DuckDBPyConnection) -> Records:
    """The records behind two attached snapshots, ``a`` and ``b``: all in the ledger of the later one."""
    heads = {
        side: connection.sql(f"SELECT ledger_seq FROM {side}.audit.publication").fetchone() for side in SIDES
    }
    later = max(SIDES, key=lambda side: heads[side] or (0,))
    ledger = f"{later}.audit.ledger"
    contexts = Contexts.of_rows(
        connection.sql(f"SELECT seq, kind, body FROM {ledger} WHERE kind IN ('study', 'code')").fetchall()
    )
    records = Records()
    for side in SIDES:
        rows = connection.sql(
            f"SELECT t.table_name, t.value_digest, l.seq, l.body FROM {side}.audit.tables AS t JOIN {ledger} AS l "
            "ON l.kind = 'materialization' AND l.\"at\" = t.as_of "
            "AND json_extract_string(l.body, '$.table') = t.table_name"
        ).fetchall()
        records.digests[side] = {table: digest for table, digest, _, _ in rows}
        records.made[side] = {
            table: Made(
                seq, json.loads(body), contexts.before("study", seq) or {}, contexts.before("code", seq)
            )
            for table, _, seq, body in rows
        }
    return records


@dataclass(frozen=True)
class StudyChange:
    """One key of study.yaml that differs."""

    key: str
    old: Any
    new: Any
    old_line: int | None = None
    new_line: int | None = None

    @property
    def descriptive(self) -> bool:
        """Whether the key only says how something is called."""
        return self.key.startswith("labels.") or self.key.rpartition(".")[2] in ("label", "title")


def study_changes(records: Records, old: Made, new: Made) -> list[StudyChange]:
    """The keys of study.yaml that differ, among those that the table depends on."""
    if old.body["parts"]["study"] == new.body["parts"]["study"]:
        return []
    before, after = records.study(old), records.study(new)
    keys = new.body.get("study_keys") or [*_mapping(before.data), *_mapping(after.data)]
    then, now = (
        {path: leaf for path, leaf in _leaves(document.data).items() if _depends(path, keys)}
        for document in (before, after)
    )
    changes = [
        StudyChange(
            ".".join(path).replace(".[", "["),
            *(leaf.value if (leaf := side.get(path)) else None for side in (then, now)),
            *(
                document.line_of(*leaf.place) if (leaf := side.get(path)) else None
                for document, side in ((before, then), (after, now))
            ),
        )
        for path in dict.fromkeys([*then, *now])
        if (then[path].value if path in then else None) != (now[path].value if path in now else None)
    ]
    return changes or _definitions_changed(old, new, keys)


def _depends(path: Sequence[str], keys: Sequence[str]) -> bool:
    """Whether a key path lies in, or above, any of the dotted keys (``contrasts.fm``: the entry with id fm)."""
    return any(
        all(step in (part, f"[{part}]") for step, part in zip(path, key.split("."), strict=False))
        for key in keys
    )


def _definitions_changed(old: Made, new: Made, keys: Sequence[str]) -> list[StudyChange]:
    """What study.yaml only names: definitions of instruments, and contrasts in a file of their own."""
    changes = []
    if "instruments" in keys:
        then, now = (_mapping(made.study.get("instruments")) for made in (old, new))
        changes += [
            StudyChange(f"instruments[{name}], its definition", then.get(name), now.get(name))
            for name in sorted({*then, *now})
            if then.get(name) != now.get(name)
        ]
    then, now = ({entry["id"]: entry for entry in made.study.get("contrasts", ())} for made in (old, new))
    changes += [
        StudyChange(f"contrasts[{name}]", then.get(name), now.get(name))
        for name in sorted({*then, *now})
        if _depends(("contrasts", name), keys) and then.get(name) != now.get(name)
    ]
    return changes


@dataclass(frozen=True)
class _Leaf:
    value: Any
    place: tuple[str | int, ...]


def _leaves(
    value: Any, called: tuple[str, ...] = (), place: tuple[str | int, ...] = ()
) -> dict[tuple[str, ...], _Leaf]:
    """Leaves by path; entries of lists go by their id where they have one."""
    if isinstance(value, Mapping) and value:
        parts = [(str(key), key, entry) for key, entry in value.items()]
    elif isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
        parts = [(_called(entry, index), index, entry) for index, entry in enumerate(value)]
    else:
        return {called: _Leaf(value, place)}
    found: dict[tuple[str, ...], _Leaf] = {}
    for name, position, entry in parts:
        found |= _leaves(entry, (*called, name), (*place, position))
    return found


def _called(entry: Any, index: int) -> str:
    named = entry.get("id") or entry.get("use") if isinstance(entry, Mapping) else None
    return f"[{named if named is not None else index}]"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


@dataclass(frozen=True)
class CodeChange:
    """What differs in the code that a table was made by."""

    files: tuple[str, ...]
    libraries: tuple[tuple[str, str | None, str | None], ...]


def code_change(table: str, old: Made, new: Made) -> CodeChange | None:
    """Files and library versions that differ; None when the code version is the same."""
    if old.body["parts"]["code"] == new.body["parts"]["code"]:
        return None
    before, after = (code_of(table, made.code) or CodeOf() for made in (old, new))
    return CodeChange(
        tuple(
            sorted(
                name
                for name in {*before.files, *after.files}
                if before.files.get(name) != after.files.get(name)
            )
        ),
        tuple(
            (name, before.libraries.get(name), after.libraries.get(name))
            for name in sorted({*before.libraries, *after.libraries})
            if before.libraries.get(name) != after.libraries.get(name)
        ),
    )
