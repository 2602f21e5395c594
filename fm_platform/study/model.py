"""study.yaml as a typed, frozen value.

Belongs here: the shape of study.yaml as a whole, where its files are, and its digests. Does not belong here: the two
halves' sections (``clinical``, ``expression``), reading it (``loading``), or anything that reads the files it names.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, PrivateAttr, SerializeAsAny, field_validator, model_validator

from fm_platform.errors import InputError
from fm_platform.study.clinical import ClinicalSource, InstrumentUse, Outcome, Responder, Visit
from fm_platform.study.expression import Contrast, ExpressionSource
from fm_platform.study.values import Section, Slug, TableName, Texts
from fm_platform.yaml_lines import YamlDocument

STUDY_FILE = "study.yaml"

_DAILY = re.compile(r"^[0-5]?\d ([01]?\d|2[0-3]) \* \* \*$")


def _is_cron(text: str) -> bool:
    """Whether Dagster takes it for a schedule; its import costs half a second, which a daily time does not need."""
    import dagster as dg  # noqa: TID251 - the one word of it on study.yaml: it alone knows which schedules it runs

    try:
        dg.ScheduleDefinition(job_name="refresh", cron_schedule=text)
    except dg.DagsterInvalidDefinitionError:
        return False
    return True


class StudyInfo(Section):
    """Who the study is. ``synthetic`` marks every output as made-up data."""

    id: Slug
    title: str
    synthetic: bool = False


class Privacy(Section):
    """What could identify a subject, and whether pseudonymized tables are wanted (key: ``FM_PSEUDONYM_KEY``)."""

    quasi_identifiers: tuple[str, ...] = ()
    k: int = Field(default=3, ge=2)
    pseudonyms: bool = False


class Gate(Section):
    """When the gate stops a half.

    ``max_set_aside`` is the largest share of a source's rows that may be set aside, ``max_lost`` that of the values
    that may be refused in a column which outcomes are read from, as a whole or at one visit (two never stop it).
    """

    max_set_aside: float = Field(default=0.2, ge=0, le=1)
    max_lost: float = Field(default=0.2, ge=0, le=1)


class Schedule(Section):
    """When the nightly refresh looks for work."""

    cron: str = "0 2 * * *"
    timezone: str = "UTC"

    @field_validator("cron")
    @classmethod
    def _a_time_that_comes(cls, value: str) -> str:
        if not _DAILY.match(value) and not _is_cron(value):
            raise ValueError(
                f"{value!r} is no time that a clock shows; write minute, hour, day, month and weekday, "
                "e.g. 0 2 * * * for two in the morning"
            )
        return value

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("no such time zone; write a name such as UTC or Europe/Berlin") from None
        return value


class Study(Section):
    """A whole study.yaml, with the folder it stands in."""

    study: StudyInfo
    clinical: dict[TableName, SerializeAsAny[ClinicalSource]] = Field(default_factory=dict)
    visits: tuple[Visit, ...] = ()
    unscheduled: tuple[str, ...] = ()
    population: dict[str, Texts] = Field(default_factory=dict)
    strata: str | None = None
    reference_arm: str | None = None
    labels: dict[str, dict[str, str]] = Field(default_factory=dict)
    instruments: tuple[InstrumentUse, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    responders: tuple[Responder, ...] = ()
    withdrawals: str | None = None
    expression: ExpressionSource | None = None
    contrasts: tuple[Contrast, ...] = ()
    privacy: Privacy = Privacy()
    gene_sets: Texts = ()
    gate: Gate = Gate()
    keep_snapshots: int = Field(default=20, ge=1)
    schedule: Schedule = Schedule()

    _folder: Path = PrivateAttr(default=Path("."))
    _document: YamlDocument | None = PrivateAttr(default=None)

    @field_validator("clinical", mode="before")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        return {} if value is None else value

    @model_validator(mode="after")
    def _halves(self) -> Study:
        if not self.clinical and self.expression is None:
            raise ValueError("a study needs `clinical:`, `expression:` or both")
        return self

    # -- halves and look-ups ------------------------------------------------------------------------------------

    @property
    def has_clinical(self) -> bool:
        """Whether the clinical half exists."""
        return bool(self.clinical)

    @property
    def has_expression(self) -> bool:
        """Whether the expression half exists."""
        return self.expression is not None

    @property
    def baseline(self) -> Visit:
        """The baseline visit (clinical studies with visits always have exactly one)."""
        return next(visit for visit in self.visits if visit.baseline)

    def visit_of(self, text: str) -> Visit | None:
        """The planned visit that a text of the visit column stands for."""
        return next((visit for visit in self.visits if text in visit.found_as), None)

    def outcome(self, outcome_id: str) -> Outcome:
        """The declared outcome with this id."""
        return next(outcome for outcome in self.outcomes if outcome.id == outcome_id)

    def label(self, column: str, value: str) -> str:
        """The display label of a level (the level itself where none is declared)."""
        return self.labels.get(column, {}).get(value, value)

    # -- files ------------------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """The study folder."""
        return self._folder

    @property
    def file(self) -> Path:
        """The study.yaml itself."""
        return self._folder / STUDY_FILE

    @property
    def text(self) -> str:
        """study.yaml as written."""
        return self._document.text if self._document else ""

    def line_of(self, *key_path: str | int) -> int | None:
        """The line of a key in study.yaml."""
        return self._document.line_of(*key_path) if self._document else None

    def error(self, message: str, *key_path: str | int, mend: str) -> InputError:
        """An error that points at a key of study.yaml."""
        return InputError(message, file=self.file, line=self.line_of(*key_path), mend=mend)

    def resolve(
        self, pattern: str, *key_path: str | int, pick: str | None = None, folders: bool = False
    ) -> Path:
        """The file that a path or glob of study.yaml names.

        Args:
            pattern: Path relative to the study folder; with ``pick`` it may be a glob.
            key_path: Where it stands in study.yaml, for the error.
            pick: ``newest`` takes the last of the matches in name order (dated exports sort by date).
            folders: Whether a folder will do as well.

        Raises:
            InputError: Nothing matches, or several files do and no pick is declared.
        """
        if not any(mark in pattern for mark in "*?["):
            path = self._folder / pattern
            if not path.is_file() and not (folders and path.is_dir()):
                raise self.error(
                    f"file {pattern} does not exist", *key_path, mend=f"put it at {path}, or correct the path"
                )
            return path
        matches = sorted(match for match in self._folder.glob(pattern) if match.is_file())
        if not matches:
            raise self.error(
                f"no file matches {pattern}", *key_path, mend="add the export, or correct the pattern"
            )
        if len(matches) > 1 and pick != "newest":
            names = ", ".join(match.name for match in matches[:5])
            raise self.error(
                f"{pattern} matches {names}", *key_path, mend="add `pick: newest`, or name one file"
            )
        return matches[-1]

    # -- identity ---------------------------------------------------------------------------------------------

    def section_digest(self, *keys: str) -> str:
        """SHA-256 of the named sections as parsed (comments and layout do not count).

        A key is a top-level one, or leads into one: ``expression.stability``; ``contrasts.fm`` is the entry with id fm.
        """
        dumped = self.model_dump(mode="json", by_alias=True)
        chosen = {key: _section(dumped, key) for key in sorted(keys)}
        canonical = json.dumps(chosen, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def _section(dumped: Any, key: str) -> Any:
    """The part of a dumped study that a dotted key names."""
    for name in key.split("."):
        entries = {entry["id"]: entry for entry in dumped} if isinstance(dumped, list) else dumped
        dumped = entries[name]
    return dumped
