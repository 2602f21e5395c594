"""Making a publication again in a folder of its own, from the ledger and the store, and certifying what came of it.

Belongs here: laying out the folder, running the code, the certificate and its ledger record. Does not belong here:
what a publication was made from, or comparing (``lineage.recipe``).

The folder gets ``study/`` (study.yaml, what it is read with, the delivered files), ``home/`` (whose ledger begins with
the earlier deliveries, decisions and erasures that tables depend on) and ``requirements.lock`` as recorded.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import tomllib
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.session import Actor, open_session
from fm_platform.errors import FmError, InputError
from fm_platform.lineage.diff.records import Made
from fm_platform.lineage.environment import Contexts, MadeWith
from fm_platform.lineage.graph import upstream_of
from fm_platform.lineage.recipe import Outcome, Rebuilt, Recipe, compare, recipe_of
from fm_platform.lineage.verify import quiet_home
from fm_platform.sources.store import keep_content, problem
from fm_platform.study.model import STUDY_FILE
from fm_platform.warehouse.database import WAREHOUSE_VARIABLE, open_warehouse
from fm_platform.warehouse.home import Home, write_atomically
from fm_platform.warehouse.ledger import LedgerRecord
from fm_platform.warehouse.lock import hold_lock

KIND: Final = "reproduction"
CERTIFICATE = "certificate.json"
_RUN = "import sys; sys.argv[0] = 'fm'; from fm_platform.cli import main; main()"


@dataclass(frozen=True)
class OtherCode:
    """Code that is not the running one.

    Attributes:
        path: A checkout, or a wheel; None: the running code, in another interpreter.
        python: The interpreter that runs it; None: the running one.
    """

    path: Path | None = None
    python: Path | None = None


@dataclass(frozen=True)
class Reproduction:
    """What came of making a publication again.

    Attributes:
        recipe: The publication.
        outcomes: Its tables, upstream first.
        certificate: What the certificate says.
        file: Where it is.
        sha256: Of that file.
        record: Its ledger record.
    """

    recipe: Recipe
    outcomes: Sequence[Outcome]
    certificate: Mapping[str, Any]
    file: Path
    sha256: str
    record: LedgerRecord

    @property
    def first(self) -> Outcome | None:
        """The first table that differs; None where all are equal."""
        return next((outcome for outcome in self.outcomes if not outcome.equal), None)


def reproduce(
    home: Home,
    which: str,
    folder: Path | None = None,
    *,
    other: OtherCode | None = None,
    models: Path | None = None,
    reason: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Reproduction:
    """Make a publication again and compare every table with what was published.

    Args:
        home: The home that published.
        which: Number, lock's name or ``latest``; its snapshot need not be kept.
        folder: A new folder to make it in, which stays; None: one that goes.
        other: Code to make it with in place of the running one.
        models: The folder of SQL models (default: the code's own).
        reason: Why, for the ledger.
        progress: Told what is being made.

    Raises:
        InputError: There is no such publication, the folder is in use, the code is none, or study.yaml cannot be read.
    """
    recipe = recipe_of(_ledger(home), which, home)
    with _folder_of(home, folder) as place:
        sources = _lay_out(recipe, home, place)
        make = partial(_make_by, other) if other is not None else partial(_make_here, recipe, models)
        errors = make(place, progress)
        rebuilt = _made_in(Home(place / "home"), errors, sources)
        outcomes = compare(recipe, rebuilt)
        certificate = _certificate(recipe, rebuilt, outcomes, other)
        content = (json.dumps(certificate, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
        name = f"publication-{recipe.snapshot.number:06d}-{certificate['at'][:19].replace(':', '')}.json"
        file = place / CERTIFICATE if folder is not None else home.path / "reproductions" / name
        write_atomically(file, content)
    sha256 = hashlib.sha256(content).hexdigest()
    record = _record(home, certificate, file.name, sha256, reason)
    return Reproduction(recipe, outcomes, certificate, file, sha256, record)


def _ledger(home: Home) -> list[LedgerRecord]:
    if not home.work.exists() and WAREHOUSE_VARIABLE not in os.environ:
        raise InputError(
            "this home was never refreshed", file=home.path, mend="run `fm refresh`, or name another home"
        )
    with quiet_home(home, "reproduce"), open_warehouse(home, "reproduce", read_only=True) as warehouse:
        return warehouse.records()


@contextmanager
def _folder_of(home: Home, folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="fm-reproduce-") as scratch:
            yield Path(scratch)
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("the folder is in use", file=folder, mend="name a new or an empty folder with --in")
    if folder.resolve().is_relative_to(home.path.resolve()):
        raise InputError(
            "the folder is inside the home", file=folder, mend="name a folder elsewhere with --in"
        )
    folder.mkdir(parents=True, exist_ok=True)
    yield folder


# -- the folder -------------------------------------------------------------------------------------------------------


def _lay_out(recipe: Recipe, home: Home, place: Path) -> dict[str, str]:
    """Write the study, its files and the beginning of a ledger; returns what could not be written, and why."""
    study = place / "study"
    write_atomically(study / STUDY_FILE, str(recipe.study.get("text", "")).encode())
    missing: dict[str, str] = {}
    for entry in (*recipe.study.get("files", ()), *recipe.delivered.values()):
        path = (study / entry["path"]).resolve()
        if not path.is_relative_to(study.resolve()):
            raise InputError(f"{entry['path']} lies outside the study folder", mend="run `fm verify`")
        content, wrong = _stored(recipe, home, str(entry["sha256"]))
        if content is not None:
            write_atomically(path, content)
        if wrong:
            missing[entry["path"]] = wrong
    lock = recipe.environment.get("lock")
    if lock is not None:
        content, _ = _stored(recipe, home, lock["sha256"])
        if content is not None:
            write_atomically(place / "requirements.lock", content)
    _begin_ledger(recipe, home, Home(place / "home"))
    return missing


def _stored(recipe: Recipe, home: Home, sha256: str) -> tuple[bytes | None, str]:
    """A stored file's content, and what is wrong with it."""
    now = recipe.erasures.source_now(sha256)
    if now is None:
        return None, "was removed by `fm erase`"
    target = home.sources / f"{now}.gz"
    wrong = problem(target, now, None)
    if wrong is not None:
        return None, f"{wrong} in the store"
    return gzip.decompress(target.read_bytes()), "" if now == sha256 else "was redacted by `fm erase`"


def _begin_ledger(recipe: Recipe, home: Home, begun: Home) -> None:
    begun.ensure()
    with _own_warehouse(), hold_lock(begun.lock, KIND), open_warehouse(begun, KIND) as warehouse:
        for record in recipe.before:
            if record.kind == "source":
                content, _ = _stored(recipe, home, str(record.content["sha256"]))
                if content is not None:
                    keep_content(begun.sources, content)
            with warehouse.transaction():
                warehouse.append(record.kind, record.content)


@contextmanager
def _own_warehouse() -> Iterator[None]:
    """Leave the setting that names another warehouse: the rebuilt home has its own."""
    named = os.environ.pop(WAREHOUSE_VARIABLE, None)
    try:
        yield
    finally:
        if named is not None:
            os.environ[WAREHOUSE_VARIABLE] = named


# -- making -----------------------------------------------------------------------------------------------------------


def _make_here(
    recipe: Recipe, models: Path | None, place: Path, progress: Callable[[str], None]
) -> dict[str, str]:
    """Make the publication's tables with the running code; returns what could not be made, and why."""
    catalog = build_catalog(place / "study", models)
    wanted = set(recipe.made) & set(catalog.assets)
    wanted |= {name for table in wanted for name in upstream_of(table, catalog.assets)}
    errors = {table: "the code has no such table" for table in recipe.made if table not in catalog.assets}
    with (
        _own_warehouse(),
        open_session(catalog, Home(place / "home"), str(uuid.uuid4()), progress=progress) as session,
    ):
        for asset in catalog.in_order():
            if asset.table not in wanted:
                continue
            progress(asset.table)
            try:
                session.materialize(asset.table)
            except FmError as error:
                errors[asset.table] = error.message
    return errors


def _make_by(other: OtherCode, place: Path, progress: Callable[[str], None]) -> dict[str, str]:
    """Have other code refresh the folder's study; it says itself what it could not make."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FM_WAREHOUSE")}
    if other.path is not None:
        environment["PYTHONPATH"] = os.pathsep.join(str(path) for path in _importable(other.path, place))
    python = other.python if other.python is not None else Path(sys.executable)
    arguments = ["refresh", "--study", str(place / "study"), "--home", str(place / "home")]
    progress(f"{python} {' '.join(arguments)}" + (f" with {other.path}" if other.path else ""))
    try:
        finished = subprocess.run(
            [str(python), "-c", _RUN, *arguments],
            capture_output=True, text=True, check=False, cwd=place, env=environment,
        )  # fmt: skip
    except OSError as error:
        raise InputError(
            f"cannot be run: {error.strerror}", file=python, mend="name an interpreter with --python"
        ) from error
    write_atomically(place / "refresh.log", (finished.stdout + finished.stderr).encode())
    if not (place / "home" / "state.json").is_file():
        said = (finished.stderr.strip() or finished.stdout.strip()).splitlines()
        raise InputError(
            f"the code did not refresh the study: {said[-1] if said else 'it said nothing'}",
            file=other.path or python,
            mend="name a checkout or a wheel with --code, and an interpreter that has its libraries with --python",
        )
    return {}


def _importable(path: Path, place: Path) -> list[Path]:
    """The folders that hold the package and its metadata: a checkout and metadata made for it, or an unpacked wheel."""
    folder, beside = path.resolve(), (place / "code").resolve()
    if path.suffix == ".whl" and zipfile.is_zipfile(path):
        folder = beside
        with zipfile.ZipFile(path) as wheel:
            wheel.extractall(folder)
    if not (folder / "fm_platform" / "__init__.py").is_file():
        raise InputError(
            "holds no fm_platform", file=path, mend="name a checkout or a wheel of it with --code"
        )
    if not list(folder.glob("fm_platform-*.dist-info")):
        declared = folder / "pyproject.toml"
        named = tomllib.loads(declared.read_text(encoding="utf-8"))["project"] if declared.is_file() else {}
        version = named.get("version", metadata.version("fm-platform"))
        text = f"Metadata-Version: 2.1\nName: fm-platform\nVersion: {version}\n"
        write_atomically(beside / f"fm_platform-{version}.dist-info" / "METADATA", text.encode())
    return list(dict.fromkeys((folder, beside)))


def _made_in(home: Home, errors: Mapping[str, str], sources: Mapping[str, str]) -> Rebuilt:
    """What the rebuilt home's ledger says."""
    with _own_warehouse(), open_warehouse(home, KIND, read_only=True) as warehouse:
        records = warehouse.records()
    contexts = Contexts.of(records)
    newest = {str(record.content["table"]): record for record in records if record.kind == "materialization"}
    made, behind = dict[str, Made](), dict[str, MadeWith]()
    for table, record in newest.items():
        study, code = (contexts.before(kind, record.seq) for kind in ("study", "code"))
        made[table] = Made(record.seq, record.content, study or {}, code)
        behind[table] = contexts.made_with(table, record.seq)
    return Rebuilt(made, behind, errors, sources)


# -- the certificate --------------------------------------------------------------------------------------------------


def _certificate(
    recipe: Recipe, rebuilt: Rebuilt, outcomes: Sequence[Outcome], other: OtherCode | None
) -> dict[str, Any]:
    """What was compared with what, and what came of it. Names and hashes, never values of cells."""
    here = [entry.environment for entry in rebuilt.behind.values() if entry.environment]
    first = next((outcome for outcome in outcomes if not outcome.equal), None)
    return {
        "what": "a publication of fm_platform made again from its ledger and its kept files, and compared by table",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "study": recipe.study.get("id"),
        "publication": {
            "number": recipe.snapshot.number,
            "at": recipe.snapshot.at,
            "sha256": recipe.snapshot.sha256,
            "ledger_seq": recipe.snapshot.seq,
            "ledger_hash": recipe.record_hash,
        },
        "published_in": dict(recipe.environment),
        "rebuilt_in": dict(here[-1]) if here else {},
        "rebuilt_by": str(other.path or other.python) if other is not None else "the running code",
        "study_sha256": recipe.study.get("sha256"),
        "sources": [
            {"path": path, "sha256": entry["sha256"], "problem": rebuilt.sources.get(path)}
            for path, entry in sorted(recipe.delivered.items())
        ],
        "equal": first is None,
        "tables": [{**asdict(outcome), "equal": outcome.equal} for outcome in outcomes],
        "first_that_differs": None if first is None else {"table": first.table, "causes": list(first.causes)},
        "not_compared": "report and site: they name their run and the ledger's head",
    }


def _record(
    home: Home, certificate: Mapping[str, Any], name: str, sha256: str, reason: str | None
) -> LedgerRecord:
    actor = Actor.from_environment((reason or "").strip() or None)
    tables = certificate["tables"]
    body = {
        "number": certificate["publication"]["number"],
        "equal": certificate["equal"],
        "tables": len(tables),
        "tables_equal": sum(entry["equal"] for entry in tables),
        "first_that_differs": certificate["first_that_differs"],
        "certificate": name,
        "sha256": sha256,
        "actor": actor.name,
        **({"reason": actor.reason} if actor.reason else {}),
    }
    run_id = str(uuid.uuid4())
    with hold_lock(home.lock, run_id), open_warehouse(home, run_id) as warehouse:
        with warehouse.transaction():
            record = warehouse.append(KIND, body)
        if state := home.state():
            home.write_state({**state, "head": {"seq": record.seq, "hash": record.hash}})
    return record
