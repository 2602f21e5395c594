"""A session of the lock's holder: plan under the lock, make one asset at a time, leave the state for readers.

Belongs here: the order of a step (is it blocked, is it fresh, are its inputs as recorded, build, write with
its records) and what a run leaves behind. Does not belong here: staleness rules (``lineage.plan``), Dagster,
or any one asset.
"""

from __future__ import annotations

import getpass
import json
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from fm_platform.catalog.asset import Asset, Built, Delivered, Step
from fm_platform.catalog.audit import publication_of
from fm_platform.catalog.binding import check_home
from fm_platform.catalog.completeness import constants_of, require_paths
from fm_platform.catalog.graph import Catalog
from fm_platform.catalog.memory import Memory
from fm_platform.errors import CheckFailed, FmError, InputError
from fm_platform.lineage.causes import causes_of_next
from fm_platform.lineage.code_state import code_state
from fm_platform.lineage.environment import environment_state, lock_text
from fm_platform.lineage.history import History, Materialized, as_state, fold
from fm_platform.lineage.plan import (
    FileDigests,
    Plan,
    blocked_by,
    blocked_halves,
    failed_by_half,
    make_plan,
    parts_of,
)
from fm_platform.lineage.snapshots import to_prune
from fm_platform.sources.store import StoredFile, keep, keep_content
from fm_platform.study.loading import files_beside
from fm_platform.warehouse.database import TableDigests, TableWrite, Warehouse, open_warehouse
from fm_platform.warehouse.files import place_files, remove_outdated, stage_files
from fm_platform.warehouse.home import STATE_VERSION, Home
from fm_platform.warehouse.ledger import canonical, sha256_text
from fm_platform.warehouse.lock import Holder, hold_lock, mark_alive
from fm_platform.warehouse.publish import finish_interrupted, publish, remove_snapshots
from fm_platform.warehouse.records import CheckOutcome, ColumnLineage

PUBLISH = "publish.warehouse"
KEY_CHECK = "key_is_unique"

StepStatus = Literal["computed", "fresh"]


@dataclass(frozen=True)
class StepResult:
    """What became of one step."""

    table: str
    status: StepStatus
    materialized: Materialized
    checks: tuple[CheckOutcome, ...] = ()
    seconds: float = 0.0
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed_blocking(self) -> list[CheckOutcome]:
        """Blocking checks that failed in this step."""
        return [check for check in self.checks if check.blocking and not check.passed]


OnStep = Callable[[str, StepResult | None], None]
"""Told of a step's beginning (no result yet) and of its end."""


@dataclass(frozen=True)
class Actor:
    """Who acts, and why, as far as they said."""

    name: str
    reason: str | None = None

    @classmethod
    def from_environment(cls, reason: str | None = None) -> Actor:
        """``FM_ACTOR``, else the operating system's user."""
        name = os.environ.get("FM_ACTOR")
        if not name:
            try:
                name = getpass.getuser()
            except (KeyError, OSError):
                name = f"uid {os.getuid()}"
        return cls(name, reason)


class Session:
    """The one writer of a home. Made by :func:`open_session`."""

    def __init__(
        self,
        catalog: Catalog,
        home: Home,
        warehouse: Warehouse,
        actor: Actor,
        progress: Callable[[str], None],
        on_step: OnStep,
    ) -> None:
        self.catalog = catalog
        self.home = home
        self.warehouse = warehouse
        self.actor = actor
        self.progress = progress
        self.on_step = on_step
        self.errors: list[tuple[str, Exception]] = []
        self.results: list[StepResult] = []
        self._memory = Memory()
        self._unaltered: dict[str, str] = {}
        self._seen: int | None = None
        self._context_known = False
        self._history = History()
        self._files = FileDigests(home.state().get("files"))

    @property
    def history(self) -> History:
        """The ledger's latest facts, this session's own records included."""
        if self._seen != self.warehouse.appended:
            self._history = fold(self.warehouse.records_after(self._history.head[0]), self._history)
            self._seen = self.warehouse.appended
        return self._history

    def plan(self, selected: Collection[str] | None = None, *, force: bool = False) -> Plan:
        """What is stale now."""
        return make_plan(
            self.catalog.assets,
            self.history,
            self.catalog.study_digests,
            self._files,
            selected=selected,
            force=force,
        )

    # -- one step -------------------------------------------------------------------------------------------------

    def materialize(self, table: str, *, force: bool = False) -> StepResult:
        """Bring one asset up to date.

        A fresh asset is left as it is unless forced. The table, its records and its check results are written in one
        transaction.

        Raises:
            CheckFailed: The asset is blocked, an input was altered behind the ledger's back, or its key is not unique.
            InputError: What it reads is wrong.
        """
        self.on_step(table, None)
        try:
            result = self._materialize(self.catalog.assets[table], force)
        except Exception as error:
            self.errors.append((table, error))
            raise
        self.results.append(result)
        self.on_step(table, result)
        return result

    def _materialize(self, asset: Asset, force: bool) -> StepResult:
        started, began = time.monotonic(), datetime.now(UTC)
        self._refuse_if_blocked(asset)
        before = self.history.materialized.get(asset.table)
        halves = blocked_halves(self.catalog.assets, self.history)
        parts = parts_of(asset, self.history, self.catalog.study_digests, self._files, halves)
        if before is not None and before.fingerprint == parts.fingerprint and not force:
            return StepResult(asset.table, "fresh", before)
        self._require_inputs(asset)
        self._require_unaltered_inputs(asset)
        self._record_context()
        delivered: list[Delivered] = []

        def keep_file(source: str, path: Path) -> Delivered:
            entry = Delivered(source, self._relative(path), keep(self.home.sources, path))
            delivered.append(entry)
            return entry

        blocked = {
            half: "; ".join(f"{verdict.table}: {verdict.check}" for verdict in verdicts)
            for half, verdicts in failed_by_half(self.catalog.assets, self.history).items()
        }
        step = Step(
            study=self.catalog.study,
            instruments=self.catalog.instruments,
            warehouse=self.warehouse,
            history=self.history,
            blocked=blocked,
            progress=self.progress,
            keep=keep_file,
            memory=self._memory,
        )
        facts: dict[str, Any] = {
            "fingerprint": parts.fingerprint,
            "parts": parts.as_json(),
            "half": asset.half,
            "started": began.isoformat(timespec="microseconds"),
            "study_keys": list(asset.study_keys),
            "inputs_full": {
                t: m.full_digest for t in asset.inputs if (m := self.history.materialized.get(t))
            },
            "actor": self.actor.name,
            **({"reason": self.actor.reason} if self.actor.reason else {}),
        }
        if asset.table == PUBLISH:
            checks = self._publish(asset, facts)
            metadata: Mapping[str, Any] = {}
        else:
            built = asset.build(step)
            metadata = built.metadata
            checks = self._store(asset, built, facts, delivered)
        seconds = time.monotonic() - started
        return StepResult(
            asset.table, "computed", self.history.materialized[asset.table], checks, seconds, metadata
        )

    def _refuse_if_blocked(self, asset: Asset) -> None:
        verdict = blocked_by(self.catalog.assets, self.history).get(asset.table)
        if verdict is not None:
            raise CheckFailed(
                f"{asset.table} is blocked: check {verdict.check} of {verdict.table} failed at {verdict.at}",
                mend=f"see quarantine and `fm status`; correct what {verdict.table} reads, then refresh",
            )

    def _require_inputs(self, asset: Asset) -> None:
        missing = [table for table in asset.inputs if table not in self.history.materialized]
        if missing and not asset.tolerates_blocked:
            raise InputError(
                f"{asset.table} reads {missing[0]}, which was never materialized",
                mend=f"select what it needs, too: --select +{asset.table}",
            )

    def _require_unaltered_inputs(self, asset: Asset) -> None:
        """Compare inputs with the ledger; what this session wrote or compared, it holds under the lock."""
        for table in asset.inputs:
            recorded = self.history.materialized.get(table)
            if recorded is None or "key" not in recorded.body or not recorded.body["key"]:
                continue
            if self._unaltered.get(table) == recorded.full_digest:
                continue
            if self.warehouse.digests(table, recorded.body["key"]).full != recorded.full_digest:
                raise CheckFailed(
                    f"{table} does not have the content that the ledger records",
                    mend="run `fm verify`; restore the home, or recompute it with `fm refresh --force --reason ...`",
                )
            self._unaltered[table] = recorded.full_digest

    def _store(
        self, asset: Asset, built: Built, facts: dict[str, Any], delivered: list[Delivered]
    ) -> tuple[CheckOutcome, ...]:
        lineage = built.lineage if built.lineage is not None else asset.lineage
        made = {
            table: {name for name, _ in m.body["columns"]}
            for table in asset.inputs
            if (m := self.history.materialized.get(table)) is not None
        }
        require_paths(asset, lineage, self.catalog.assets, made)
        if constants := constants_of(asset, lineage):
            facts["constants"] = constants
        facts["column_lineage"] = {
            column: [list(entry.as_json().values()) for entry in sorted(set(inputs))]
            for column, inputs in lineage.items()
        }
        sources = [self._source_body(entry) for entry in delivered]
        if sources:
            facts["delivered"] = sources
        if built.files is not None:
            return self._store_files(asset, built, facts)
        assert built.rows is not None
        key_check = CheckOutcome(KEY_CHECK, True, True, "ERROR", f"({', '.join(asset.key)}) is unique")

        def checks(written: TableDigests) -> list[CheckOutcome]:
            _require_declared_columns(asset, lineage, written)
            return [key_check, *built.checks()]

        record, outcomes = self.warehouse.write(
            TableWrite(
                table=asset.table,
                key=asset.key,
                rows=built.rows,
                facts=facts,
                before=[*(("source", body) for body in sources), *built.records],
                source_rows=built.source_rows,
                links=[*built.links, *(rows.link(asset.table, asset.key) for rows in asset.rows)],
                checks=checks,
                remembered=asset.remembered,
            )
        )
        self._unaltered[asset.table] = str(record.content["full_digest"])
        return outcomes

    def _store_files(self, asset: Asset, built: Built, facts: dict[str, Any]) -> tuple[CheckOutcome, ...]:
        assert built.files is not None
        digests = stage_files(self.home, built.files)
        content = sha256_text(canonical(digests))
        with self.warehouse.transaction():
            self.warehouse.append(
                "materialization",
                {
                    **facts,
                    "table": asset.table,
                    "key": [],
                    "columns": [],
                    "rows": len(digests),
                    "files": digests,
                    "value_digest": content,
                    "full_digest": content,
                },
            )
        place_files(self.home, digests)
        kept = {name for made in self.history.materialized.values() for name in made.body.get("files", {})}
        remove_outdated(self.home, self._files_written(asset.table), kept)
        return ()

    def _files_written(self, table: str) -> Iterator[dict[str, str]]:
        """The files of every materialization of a file asset: path to SHA-256."""
        bodies = self.warehouse.query(
            "SELECT body FROM fm.audit.ledger WHERE kind = 'materialization' "
            "AND json_extract_string(body, '$.table') = ?",
            [table],
        )["body"]
        for body in bodies:
            yield json.loads(body)["files"]

    def _publish(self, asset: Asset, facts: dict[str, Any]) -> tuple[CheckOutcome, ...]:
        number = self.history.next_publication
        facts["causes"] = causes_of_next(
            self.warehouse, self.history, blocked_halves(self.catalog.assets, self.history)
        )
        publication = publication_of(self.catalog, self.history, self.warehouse, facts, number)
        publish(self.warehouse, publication, number)
        self._prune()
        return ()

    def _prune(self) -> None:
        """Let go of the oldest unpinned snapshots: first the record, then the files."""
        keep = self.catalog.study.keep_snapshots
        gone = to_prune(self.history, keep)
        if not gone:
            return
        with self.warehouse.transaction():
            self.warehouse.append("prune", {"snapshots": gone, "keep": keep, "actor": self.actor.name})
        remove_snapshots(self.home, self.history.pruned)

    # -- what belongs to the run ------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Finish what a killed run left between its record and its rename."""
        history = self.history
        for made in history.materialized.values():
            if "files" in made.body:
                place_files(self.home, made.body["files"])
        finish_interrupted(self.home, history.publication)
        remove_snapshots(self.home, history.pruned)

    def _record_context(self) -> None:
        """Study, code and environment, each once a state of it; looked at once a session, before it computes."""
        if not self._context_known:
            self._record_study()
            self._record_code()
            self._record_environment()
            self._context_known = True

    def _record_study(self) -> None:
        study = self.catalog.study
        digest = sha256_text(study.text)
        contrasts = [contrast.model_dump(mode="json") for contrast in study.contrasts]
        instruments = {
            instrument.id: sha256_text(canonical(instrument.model_dump(mode="json")))
            for instrument in self.catalog.instruments
        }
        facts = {
            "sha256": digest,
            "contrasts": contrasts,
            "instruments": instruments,
            "files": [self._keep_beside(study.folder / name) for name in files_beside(study)],
        }
        last = self.history.study
        if last is None or {key: last.get(key) for key in facts} != facts:
            body = {
                **facts,
                "id": study.study.id,
                "text": study.text,
                "actor": self.actor.name,
            }
            with self.warehouse.transaction():
                self.warehouse.append("study", body)

    def _record_code(self) -> None:
        """Which files and libraries every asset's code version covers, once for each state of the code."""
        body = code_state(self.catalog.assets.values())
        if self.history.code != body:
            with self.warehouse.transaction():
                self.warehouse.append("code", body)

    def _record_environment(self) -> None:
        """Python, platform, commit and lock, once for each state of them."""
        name, text = lock_text()
        lock = keep_content(self.home.sources, text.encode())
        body = {**environment_state(), "lock": {"path": name, **_stored(lock)}}
        if self.history.environment != body:
            with self.warehouse.transaction():
                self.warehouse.append("environment", body)

    def _keep_beside(self, path: Path) -> dict[str, Any]:
        """Keep a file that study.yaml is read with."""
        return {"path": self._relative(path), **_stored(keep(self.home.sources, path))}

    def _source_body(self, entry: Delivered) -> dict[str, Any]:
        return {
            "source": entry.source,
            "path": entry.path,
            **_stored(entry.stored),
            "actor": self.actor.name,
        }

    def _relative(self, path: Path) -> str:
        folder = self.catalog.study.folder
        return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name

    def write_state(self) -> None:
        """Leave ``state.json`` as schedules, sensors and status need it."""
        study = self.catalog.study
        plan = self.plan()
        self.home.write_state(
            {
                "version": STATE_VERSION,
                "study": {"id": study.study.id, "folder": str(study.folder.resolve())},
                "files": self._files.remembered(),
                "blocked": {entry.table: entry.reason for entry in plan.blocked},
                **as_state(self.history),
            }
        )


def _stored(file: StoredFile) -> dict[str, Any]:
    """A kept file as a record names it."""
    return {"sha256": file.sha256, "stored_sha256": file.stored_sha256, "bytes": file.size}


def _require_declared_columns(asset: Asset, lineage: ColumnLineage, written: TableDigests) -> None:
    """A table must have the columns that its contract describes and traces; delivered tables have the file's own."""
    if asset.table.startswith("raw."):
        return
    found = {name for name, _ in written.columns if not name.startswith("_")}
    traced = {name for name in lineage if not name.startswith("_")}
    if found != traced:
        odd = ", ".join(sorted(found ^ traced))
        raise FmError(f"{asset.table}: written columns and declared column lineage differ in: {odd}")


@contextmanager
def open_session(
    catalog: Catalog,
    home: Home,
    run_id: str,
    *,
    actor: Actor | None = None,
    progress: Callable[[str], None] = lambda _: None,
    on_step: OnStep = lambda _table, _result: None,
    on_wait: Callable[[Holder | None], None] | None = None,
) -> Iterator[Session]:
    """Become the home's one writer for the length of the block.

    Raises:
        InputError: The home belongs to another study.
        EnvironmentFailure: The home, its lock or its database cannot be used.
    """
    home.ensure()
    with mark_alive(home.alive, run_id), hold_lock(home.lock, run_id, on_wait=on_wait):
        moved = check_home(catalog, home)
        if moved is not None:
            progress(moved)
        with open_warehouse(home, run_id) as warehouse:
            session = Session(catalog, home, warehouse, actor or Actor.from_environment(), progress, on_step)
            session.recover()
            try:
                yield session
            finally:
                session.write_state()
