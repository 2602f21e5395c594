"""The one place that decides staleness: fresh, stale or blocked, and why, from the ledger's facts.

Belongs here: fingerprints and the planner used by refresh, schedule, sensor and status. Does not belong here: Dagster's
events, computing anything, or opening the work database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fm_platform.lineage.code import CodeVersion
from fm_platform.lineage.code_state import code_of, code_of_version
from fm_platform.lineage.graph import Node, in_order
from fm_platform.lineage.history import History, Verdict
from fm_platform.warehouse.ledger import canonical, sha256_text

State = Literal["fresh", "stale", "blocked"]


@dataclass(frozen=True)
class Parts:
    """What a fingerprint is made of.

    Attributes:
        inputs: Value digests of input tables; None for one that does not exist.
        study: Digest of the study.yaml keys that the node declares.
        code: Code version.
        sources: SHA-256 of delivered files, in declared order; None for one that is missing.
        extra: Blocked halves, for assets that tolerate them; origins of rows and records of tables, for assets that
            show them.
    """

    inputs: Mapping[str, str | None]
    study: str
    code: str
    sources: tuple[str | None, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The ledger's form."""
        return {
            "inputs": dict(self.inputs),
            "study": self.study,
            "code": self.code,
            "sources": list(self.sources),
            "extra": dict(self.extra),
        }

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the canonical JSON of all parts."""
        return sha256_text(canonical(self.as_json()))


@dataclass(frozen=True)
class Entry:
    """The planner's word on one asset."""

    table: str
    state: State
    reason: str
    blocked_by: Verdict | None = None


@dataclass(frozen=True)
class Plan:
    """The planner's word on every asset, upstream first."""

    entries: tuple[Entry, ...]

    @property
    def stale(self) -> list[str]:
        """Tables to materialize, upstream first."""
        return [entry.table for entry in self.entries if entry.state == "stale"]

    @property
    def blocked(self) -> list[Entry]:
        """Assets that may not run."""
        return [entry for entry in self.entries if entry.state == "blocked"]

    def entry(self, table: str) -> Entry:
        """The word on one table."""
        return next(entry for entry in self.entries if entry.table == table)


class FileDigests:
    """SHA-256 of delivered files, remembered by size and modification time."""

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        self._known: dict[str, list[Any]] = dict(known or {})
        self._asked: set[str] = set()

    def of(self, path: Path) -> str | None:
        """The digest of a file, or None when it is missing."""
        self._asked.add(str(path))
        try:
            status = path.stat()
        except OSError:
            return None
        stamp = [status.st_size, status.st_mtime_ns]
        entry = self._known.get(str(path))
        if entry is None or entry[:2] != stamp:
            entry = [*stamp, hashlib.sha256(path.read_bytes()).hexdigest()]
            self._known[str(path)] = entry
        return str(entry[2])

    def remembered(self) -> dict[str, Any]:
        """What ``state.json`` keeps: files that were asked for; one no longer delivered is named no more."""
        return {name: entry for name, entry in self._known.items() if name in self._asked}


def parts_of(
    node: Node,
    history: History,
    study_digests: Mapping[tuple[str, ...], str],
    files: FileDigests,
    blocked_halves: Collection[str] = (),
) -> Parts:
    """What the node's fingerprint is made of, by the ledger's present facts."""
    materialized = history.materialized
    extra = dict.fromkeys(sorted(blocked_halves), "blocked") if node.tolerates_blocked else {}
    if node.shows_origin:
        extra |= {
            f"origin of {table}": materialized[table].origin for table in node.inputs if table in materialized
        }
    if node.shows_records:
        seqs = {table: materialized[table].seq for table in node.shows_records if table in materialized}
        extra["records"] = sha256_text(canonical(seqs))
    decisions = [dict(decision) for source in node.decided for decision in history.decisions_on(source)]
    if decisions:
        extra["decisions"] = sha256_text(canonical(decisions))
    return Parts(
        inputs={
            table: materialized[table].value_digest if table in materialized else None
            for table in node.inputs
        },
        study=study_digests[node.study_keys],
        code=node.code_version,
        sources=tuple(files.of(path) for path in node.source_files),
        extra=extra,
    )


def make_plan(
    nodes: Mapping[str, Node],
    history: History,
    study_digests: Mapping[tuple[str, ...], str],
    files: FileDigests,
    *,
    selected: Collection[str] | None = None,
    force: bool = False,
) -> Plan:
    """Decide every selected asset.

    Args:
        nodes: The whole graph.
        history: The ledger's latest facts.
        study_digests: Digest of study.yaml for each set of keys that a node declares.
        files: Digests of delivered files.
        selected: Tables to decide on (default: all). Inputs outside the selection count as they are.
        force: Treat fresh assets as stale. A blocked asset stays blocked.
    """
    blocked = blocked_by(nodes, history)
    halves = blocked_halves(nodes, history)
    planned: set[str] = set()
    entries: list[Entry] = []
    for node in in_order(nodes.values()):
        if selected is not None and node.table not in selected:
            continue
        verdict = blocked.get(node.table)
        rerun = verdict is not None and verdict.table in planned
        if verdict is not None and not rerun:
            reason = f"check {verdict.check} of {verdict.table} failed at {verdict.at}"
            entries.append(Entry(node.table, "blocked", reason, verdict))
            continue
        reason = _why_stale(node, history, study_digests, files, halves, planned)
        if not reason and force:
            reason = "forced"
        if reason:
            planned.add(node.table)
        entries.append(
            Entry(node.table, "stale" if reason else "fresh", reason or "nothing it depends on changed")
        )
    return Plan(tuple(entries))


def blocked_by(nodes: Mapping[str, Node], history: History) -> dict[str, Verdict]:
    """Every asset downstream of a failed blocking check, with the verdict that blocks it.

    The failing asset itself is not in it: it may run again. Assets that tolerate a blocked half are not either.
    """
    found: dict[str, Verdict] = {}
    for node in in_order(nodes.values()):
        if node.tolerates_blocked:
            continue
        for table in node.inputs:
            failed = history.failed_blocking(table)
            verdict = failed[0] if failed else found.get(table)
            if verdict is not None:
                found[node.table] = verdict
                break
    return found


def failed_by_half(nodes: Mapping[str, Node], history: History) -> dict[str, list[Verdict]]:
    """The failed blocking checks of each half that has any, in the order of table and check."""
    halves: dict[str, list[Verdict]] = {}
    for verdict in sorted(history.verdicts.values(), key=lambda v: (v.table, v.check)):
        node = nodes.get(verdict.table)
        if node is not None and node.half != "both" and verdict.blocking and not verdict.passed:
            halves.setdefault(node.half, []).append(verdict)
    return halves


def blocked_halves(nodes: Mapping[str, Node], history: History) -> dict[str, Verdict]:
    """The halves with a failed blocking check, and the first such verdict of each."""
    return {half: verdicts[0] for half, verdicts in failed_by_half(nodes, history).items()}


def _why_stale(
    node: Node,
    history: History,
    study_digests: Mapping[tuple[str, ...], str],
    files: FileDigests,
    halves: Mapping[str, Verdict],
    planned: Collection[str],
) -> str:
    """In words, why the node is stale; empty when it is not."""
    before = history.materialized.get(node.table)
    if before is None:
        return "never materialized"
    upstream = [table for table in node.inputs if table in planned]
    if upstream:
        return f"upstream {upstream[0]} will run" + (
            f" (and {len(upstream) - 1} more)" if upstream[1:] else ""
        )
    now = parts_of(node, history, study_digests, files, halves)
    if now.fingerprint == before.fingerprint:
        return ""
    then: dict[str, Any] = before.body.get("parts", {})
    if list(now.sources) != then.get("sources"):
        return "source file changed: " + ", ".join(
            path.name
            for path, digest in zip(node.source_files, now.sources, strict=True)
            if digest not in (then.get("sources") or [])
        )
    if now.study != then.get("study"):
        return f"study.yaml changed ({', '.join(node.study_keys)})"
    if now.code != then.get("code"):
        return _what_code(node, history)
    changed = [table for table, digest in now.inputs.items() if digest != then.get("inputs", {}).get(table)]
    if changed:
        return f"input {changed[0]} changed"
    moved = [name for name, digest in now.extra.items() if then.get("extra", {}).get(name) != digest]
    return (
        f"{moved[0]} changed"
        if moved and moved[0].startswith("origin")
        else "a decision was taken"
        if "decisions" in moved
        else "a table that it tells of was made again"
        if "records" in moved
        else "a half became blocked or open again"
    )


def _what_code(node: Node, history: History) -> str:
    """Which libraries or files differ from those of the newest record of the code, as far as it tells."""
    before = code_of(node.table, history.code)
    if before is None or not isinstance(node.code_version, CodeVersion):
        return "code or library version changed"
    now = code_of_version(node.code_version)
    libraries = [
        f"{name} {before.libraries.get(name, '(none)')} -> {now.libraries.get(name, '(none)')}"
        for name in sorted({*before.libraries, *now.libraries})
        if before.libraries.get(name) != now.libraries.get(name)
    ]
    files = [
        name for name in sorted({*before.files, *now.files}) if before.files.get(name) != now.files.get(name)
    ]
    named = [
        *(f"library changed: {text}" for text in libraries),
        *(f"code changed: {name}" for name in files),
    ]
    more = f" (and {len(named) - 1} more)" if len(named) > 1 else ""
    return f"{named[0]}{more}" if named else "code or library version changed"
