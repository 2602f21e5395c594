"""What a publication was made from, by the ledger: enough to make it again somewhere else.

Belongs here: reading records into a recipe, and comparing what came of it with what was published. Does not belong
here: laying out a folder or making anything (``catalog.reproduction``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fm_platform.errors import InputError
from fm_platform.lineage.diff.records import Made, Records, code_change, study_changes
from fm_platform.lineage.environment import Contexts, MadeWith
from fm_platform.lineage.erasures import Erasures, erasures_of
from fm_platform.lineage.history import fold
from fm_platform.lineage.snapshots import Snapshot, named_snapshot
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import LedgerRecord

_LISTED = 4


@dataclass(frozen=True)
class Recipe:
    """One publication as the ledger tells of it.

    Attributes:
        snapshot: The publication.
        record_hash: Hash of its ledger record.
        study: The study record that held when it was published: ``id``, ``text``, ``files``.
        made: Its tables, upstream first, as they were made.
        digests: Value digest of each of its tables.
        behind: Libraries, files and environment of each of its tables.
        delivered: Path to the entry of each delivered file behind it: ``path``, ``sha256``.
        before: Records that its tables depend on beyond their inputs: earlier deliveries, decisions, erasures.
        erasures: What was redacted since.
    """

    snapshot: Snapshot
    record_hash: str
    study: Mapping[str, Any]
    made: Mapping[str, Made]
    digests: Mapping[str, str]
    behind: Mapping[str, MadeWith]
    delivered: Mapping[str, Mapping[str, Any]]
    before: Sequence[LedgerRecord]
    erasures: Erasures

    @property
    def environment(self) -> Mapping[str, Any]:
        """The environment in which the newest of its tables was made."""
        newest = max(self.made, key=lambda table: self.made[table].seq)
        return self.behind[newest].environment


def recipe_of(records: Sequence[LedgerRecord], which: str, home: Home) -> Recipe:
    """The recipe of a publication.

    Args:
        records: The whole ledger.
        which: Number, lock's name or ``latest``; its snapshot need not be kept.
        home: The home, for messages.

    Raises:
        InputError: There is no such publication, or it holds no tables.
    """
    snapshot = named_snapshot(which, fold(records), home)
    by_seq = {record.seq: record for record in records}
    published = by_seq[snapshot.seq]
    tables: Mapping[str, Mapping[str, Any]] = published.content.get("tables", {})
    if not tables:
        raise InputError(f"publication {snapshot.number} holds no tables", mend="name another publication")
    contexts = Contexts.of(records)
    made = {
        table: Made(
            int(entry["seq"]),
            by_seq[int(entry["seq"])].content,
            contexts.before("study", int(entry["seq"])) or {},
            contexts.before("code", int(entry["seq"])),
        )
        for table, entry in tables.items()
    }
    made = {table: made[table] for table in Records(made={"a": made, "b": {}}).tables}
    delivered = {
        entry["path"]: entry
        for entry_of in sorted(made.values(), key=lambda one: one.seq)
        for entry in entry_of.body.get("delivered", ())
    }
    return Recipe(
        snapshot=snapshot,
        record_hash=published.hash,
        study=contexts.before("study", snapshot.seq) or {},
        made=made,
        digests={table: str(tables[table]["value_digest"]) for table in made},
        behind={table: contexts.made_with(table, one.seq) for table, one in made.items()},
        delivered=delivered,
        before=_before(records, made, snapshot.seq),
        erasures=erasures_of(records),
    )


def _before(records: Sequence[LedgerRecord], made: Mapping[str, Made], seq: int) -> list[LedgerRecord]:
    """Deliveries before the one that each source's table was made from, decisions before the publication, erasures."""
    until: dict[str, int] = {}
    for one in made.values():
        for entry in one.body.get("delivered", ()):
            until[entry["source"]] = max(until.get(entry["source"], 0), one.seq)
    return [
        record
        for record in records
        if (record.kind == "source" and record.seq < until.get(record.content["source"], 0))
        or (record.kind == "decision" and record.seq < seq)
        or record.kind == "erasure"
    ]


@dataclass(frozen=True)
class Outcome:
    """One table of a publication and what became of it.

    Attributes:
        table: Its name.
        published: Value digest in the publication.
        rebuilt: Value digest of the rebuilt table; None where it could not be made.
        causes: What was different when it was rebuilt; where the digests are equal, it made no difference.
    """

    table: str
    published: str
    rebuilt: str | None
    causes: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether the values are the same."""
        return self.published == self.rebuilt


@dataclass(frozen=True)
class Rebuilt:
    """What came of a recipe.

    Attributes:
        made: The tables that were made, with what they were made under.
        behind: Libraries, files and environment of each.
        errors: Tables that could not be made, and why.
        sources: Delivered files that could not be laid out as they were, and why.
    """

    made: Mapping[str, Made]
    behind: Mapping[str, MadeWith]
    errors: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


def compare(recipe: Recipe, rebuilt: Rebuilt) -> list[Outcome]:
    """Every table of the publication beside the rebuilt one, upstream first."""
    records = Records(made={"a": dict(recipe.made), "b": dict(rebuilt.made)})
    outcomes: list[Outcome] = []
    differing: set[str] = set()
    for table, made in recipe.made.items():
        now = rebuilt.made.get(table)
        digest = str(now.body["value_digest"]) if now is not None else None
        causes = _causes(records, recipe, rebuilt, table)
        if digest != recipe.digests[table]:
            causes += _inputs(made, now, differing)
            if not causes:
                causes.append(_environments(recipe.behind[table], rebuilt.behind.get(table)))
            differing.add(table)
        outcomes.append(Outcome(table, recipe.digests[table], digest, tuple(causes)))
    return outcomes


def _causes(records: Records, recipe: Recipe, rebuilt: Rebuilt, table: str) -> list[str]:
    """What differs between the two makings of a table, apart from its inputs."""
    old, new = recipe.made[table], rebuilt.made.get(table)
    causes = [
        f"source {entry['path']} {rebuilt.sources[entry['path']]}"
        for entry in old.body.get("delivered", ())
        if entry["path"] in rebuilt.sources
    ]
    if table in rebuilt.errors:
        causes.append(f"could not be made: {rebuilt.errors[table]}")
    if new is None:
        return causes
    causes += [
        f"study.yaml {change.key}: {change.old} -> {change.new}"
        for change in study_changes(records, old, new)
    ]
    code = code_change(table, old, new)
    if code is not None:
        causes += [
            f"library {name} {was or '(none)'} -> {now or '(none)'}" for name, was, now in code.libraries
        ]
        more = f" and {len(code.files) - _LISTED} more" if len(code.files) > _LISTED else ""
        if code.files:
            causes.append(f"code {', '.join(code.files[:_LISTED])}{more}")
        if not causes:
            causes.append("its checks, or the key of pseudonyms")
    then, now = (made.body["parts"].get("extra", {}).get("decisions") for made in (old, new))
    if then != now:
        causes.append("a decision (`fm accept`)")
    return causes


def _inputs(old: Made, new: Made | None, differing: Collection[str]) -> list[str]:
    """Inputs that were others: tables that came out otherwise, and ones that the publication holds in another state."""
    named = [name for name in old.inputs if name in differing]
    causes = [f"input {', '.join(named[:_LISTED])} differs"] if named else []
    if new is not None:
        read: Mapping[str, str | None] = new.body["parts"]["inputs"]
        moved = [name for name in old.inputs if old.body["parts"]["inputs"][name] != read.get(name)]
        other = [name for name in moved if name not in differing]
        if other:
            held = (
                "as published is not the one that it was made from (a half was blocked, or a part refreshed)"
            )
            causes.append(f"input {', '.join(other[:_LISTED])} {held}")
    return causes


def _environments(old: MadeWith, new: MadeWith | None) -> str:
    """For values that differ although study, code, libraries and inputs do not."""
    there, here = old.environment, new.environment if new is not None else {}
    moved = [
        f"{name} {there.get(name)} -> {here.get(name)}"
        for name in ("python", "system", "machine", "libc", "installed")
        if there.get(name) != here.get(name)
    ]
    same = "study.yaml, code, libraries and inputs are the same"
    return f"{same}; {', '.join(moved)}" if moved else f"{same}: nothing that is recorded differs"
