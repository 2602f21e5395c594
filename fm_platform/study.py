"""study.yaml as a typed, frozen value.

Belongs here: the shape of study.yaml, its internal consistency, and where its files are. Does not belong here:
anything that reads the data those files hold, or that knows an instrument's items.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pydantic
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    PrivateAttr,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from fm_platform.errors import InputError
from fm_platform.yaml_lines import YamlDocument, parse_model, read_yaml

STUDY_FILE = "study.yaml"
ROLES_OF_VISIT_SOURCES = ("visit", "date", "missing_reason")

_SLUG = re.compile(r"^[A-Za-z][A-Za-z0-9_-]*$")
_FIELD = r"(\*|\d+(-\d+)?|[A-Za-z]{3}(-[A-Za-z]{3})?)(/\d+)?"
_CRON = re.compile(rf"^{_FIELD}(,{_FIELD})*(\s+{_FIELD}(,{_FIELD})*){{4}}$")
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


def _slug(value: str) -> str:
    if not _SLUG.match(value):
        raise ValueError("use letters, digits, - and _, beginning with a letter")
    return value


def _table_name(value: str) -> str:
    if not _NAME.match(value):
        raise ValueError("use lower-case letters, digits and _, beginning with a letter")
    return value


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Slug = Annotated[str, pydantic.AfterValidator(_slug)]
TableName = Annotated[str, pydantic.AfterValidator(_table_name)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
Aggregate = Literal["mean", "median", "last", "first", "min", "max"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class StudyInfo(_Section):
    """Who the study is. ``synthetic`` marks every output as made-up data."""

    id: Slug
    title: str
    synthetic: bool = False


class UnitConversion(_Section):
    """A declared unit of a column and the unit that the platform works in."""

    from_unit: Literal["mm", "nrs"] = Field(alias="from")
    to_unit: Literal["mm", "nrs"] = Field(alias="to")

    @property
    def factor(self) -> Fraction:
        """What a delivered number is multiplied with (100 mm of a visual scale are 10 points)."""
        steps = {"mm": 1, "nrs": 10}
        return Fraction(steps[self.from_unit], steps[self.to_unit])


class ClinicalSource(_Section):
    """One clinical file.

    ``columns`` maps roles to column names: ``subject`` (one name or several), ``visit``, ``date``, ``arm``, ``site``,
    ``missing_reason``, ``sex``, ``age``, or any further subject attribute.
    """

    path: str
    pick: Literal["newest"] | None = None
    sheet: str | None = None
    format: Literal["csv", "redcap"] = "csv"
    dictionary: str | None = None
    events: str | None = None
    grain: Literal["subject", "visit", "record"] | None = None
    aggregate: Aggregate | None = None
    columns: dict[str, Texts] = Field(default_factory=dict)
    subject_forms: Texts = ()
    repeating: dict[str, Aggregate] = Field(default_factory=dict)
    decimal: Literal["point", "comma"] = "point"
    missing: tuple[str | dict[str, str], ...] = ("",)
    dates: Literal["ymd", "dmy", "mdy"] | None = None
    units: dict[str, UnitConversion] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _roles(self) -> ClinicalSource:
        if self.format == "redcap":
            return self._redcap()
        if self.grain is None:
            raise ValueError("add `grain: subject` or `grain: visit`")
        if "subject" not in self.columns:
            raise ValueError("columns needs a `subject:`")
        if self.grain == "visit" and not {"visit", "date"} & set(self.columns):
            raise ValueError("columns needs a `visit:`, or a `date:` to tell the visit by its window")
        if self.grain == "record" and self.aggregate is None:
            raise ValueError("grain record needs `aggregate:`")
        if self.aggregate is not None and self.grain != "record":
            raise ValueError("`aggregate:` belongs to grain record")
        if self.aggregate in ("first", "last") and not {"date", "order"} & set(self.columns):
            raise ValueError(f"aggregate {self.aggregate} needs a `date:` or an `order:` among the columns")
        for role, names in self.columns.items():
            if role != "subject" and len(names) != 1:
                raise ValueError(f"role {role} takes one column")
        return self

    def _redcap(self) -> ClinicalSource:
        if self.dictionary is None:
            raise ValueError("a REDCap export needs `dictionary:`, its data dictionary")
        return self

    @property
    def by_visit(self) -> bool:
        """Whether staged rows belong to a visit (otherwise to a subject)."""
        return self.grain in ("visit", "record") and ("visit" in self.columns or "date" in self.columns)

    @property
    def by_window(self) -> bool:
        """Whether the visit is told by its day, because no column names it."""
        return self.by_visit and "visit" not in self.columns

    @property
    def missing_codes(self) -> dict[str, str]:
        """Each code that means "no value", with its reason (empty: none given)."""
        codes: dict[str, str] = {}
        for entry in self.missing:
            codes.update(entry if isinstance(entry, dict) else {entry: ""})
        return codes

    def role(self, name: str) -> str | None:
        """The column that plays a one-column role, if declared."""
        names = self.columns.get(name)
        return names[0] if names else None


class Visit(_Section):
    """A planned visit. ``values`` are the texts that stand for it in the visit column (default: the id)."""

    id: Slug
    label: str = ""
    day: int | None = None
    baseline: bool = False
    window: tuple[int, int] | None = None
    values: Texts = ()

    @property
    def found_as(self) -> tuple[str, ...]:
        """The texts of the visit column that mean this visit."""
        return self.values or (self.id,)


class InstrumentUse(_Section):
    """An instrument and where its items are: a pattern with ``{n}``, a map from item to column, or item names."""

    use: str
    source: str
    items: str | dict[str, str] | None = None
    total: str | dict[str, str] | None = None

    @property
    def totals(self) -> dict[str, str]:
        """Score to the column that holds it as recorded; a plain ``total:`` is the score named total."""
        return {"total": self.total} if isinstance(self.total, str) else dict(self.total or {})

    @property
    def recorded_only(self) -> bool:
        """Whether only totals were delivered (``items: none``), so that nothing can be recomputed."""
        return self.items == "none"


class Outcome(_Section):
    """A tracked number: an instrument's score (``fiqr.total``) or a plain column (``visits.twstrs``)."""

    id: Slug
    label: str = ""
    score: str | None = None
    column: str | None = None
    family: str | None = None
    better: Literal["lower", "higher"] = "lower"
    range: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Outcome:
        if (self.score is None) == (self.column is None):
            raise ValueError("give either `score:` or `column:`")
        if self.column is not None:
            if self.column.count(".") != 1:
                raise ValueError("column is written source.column, e.g. visits.twstrs")
            if self.range is None:
                raise ValueError("a plain column needs `range: [low, high]`")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError("range needs its lower end first")
        return self


class Responder(_Section):
    """A responder definition: a subject responds when the outcome improves by at least ``reduction`` of baseline."""

    id: Slug
    outcome: str
    reduction: Decimal
    label: str = ""

    @field_validator("reduction")
    @classmethod
    def _share(cls, value: Decimal) -> Decimal:
        if not 0 < value < 1:
            raise ValueError("reduction is a share between 0 and 1, e.g. 0.30")
        return value

    @property
    def reduction_exact(self) -> Fraction:
        """The share as an exact fraction (0.30 is 3/10)."""
        return Fraction(self.reduction)


CountFormat = Literal[
    "auto",
    "plain",
    "transposed",
    "provider",
    "featurecounts",
    "star",
    "htseq",
    "kallisto",
    "salmon",
    "nf-core",
    "h5ad",
]
"""How counts are delivered; ``auto`` tells by first bytes, file names and headers (docs/expression-inputs.md)."""


class CountsSource(_Section):
    """The count matrix: one delivery or several whose shared samples must agree.

    ``path`` names files or folders. ``tx2gene`` goes with kallisto and salmon, ``strand`` with STAR, ``lengths`` with
    nf-core's gene_counts, ``sample_id`` with samples in rows, ``layer`` with h5ad.
    """

    path: Texts
    format: CountFormat = "auto"
    gene_id: str | None = None
    tx2gene: str | None = None
    strand: Literal["unstranded", "forward", "reverse"] | None = None
    lengths: str | None = None
    sample_id: Texts = ()
    layer: str | None = None


class GenesSource(_Section):
    """Gene annotation: a GTF or a table. ``id`` and ``symbol`` name columns of a table."""

    path: str
    id: str | None = None
    symbol: str | None = None


class SamplesSource(_Section):
    """The sample sheet. ``id`` names samples, ``count_id`` the column that holds the matrix's sample names."""

    path: str
    id: str
    count_id: str | None = None
    subject: str | None = None
    visit: str | None = None


class SizeFactorsSource(_Section):
    """How size factors come about: estimated (``kind``, from ``control_genes`` only if given), or a sheet's ``column``.

    ``control_genes`` are gene ids or patterns such as ``ERCC-*``.
    """

    kind: Literal["ratio", "poscounts"] = "ratio"
    control_genes: Texts = ()
    column: str | None = None

    @model_validator(mode="after")
    def _given_or_estimated(self) -> SizeFactorsSource:
        if self.column is not None and (self.control_genes or "kind" in self.model_fields_set):
            raise ValueError(
                "`column:` gives the factors, so there is nothing to estimate: drop kind and control_genes"
            )
        return self


def _as_kind(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


class ExpressionSource(_Section):
    """The expression half: counts and their sample sheet.

    ``stability`` says whether contrasts are fitted again without one sample after the other; by default they are where
    that takes seconds.
    """

    counts: CountsSource
    samples: SamplesSource
    genes: GenesSource | None = None
    size_factors: Annotated[SizeFactorsSource, BeforeValidator(_as_kind)] = SizeFactorsSource()
    stability: bool | None = None


class LevelPair(NamedTuple):
    """Which level of which variable is compared with which other one."""

    variable: str
    level: str
    reference: str


_KINDS = "`variable:`, `level:` and `reference:`, or `coefficient:`, or `vector:`"


class Contrast(_Section):
    """One comparison: of two levels, of a ``coefficient`` with 0, or of a ``vector`` of weights of design columns.

    Variables of the design are factors unless listed under ``covariates``; ``reference_levels`` says which level of a
    factor the others are coded against. ``complete_pairs`` keeps only subjects with samples at both levels.
    ``lfc_threshold`` and ``alternative`` are of Wald's test; ``reduced`` is the smaller design of a likelihood-ratio
    test. ``shrink: apeglm`` adds shrunken fold changes.
    """

    id: Slug
    design: str
    variable: str | None = None
    level: str | None = None
    reference: str | None = None
    coefficient: str | None = None
    vector: dict[str, FiniteFloat] | None = None
    reference_levels: dict[str, str] = Field(default_factory=dict)
    subset: dict[str, Texts] = Field(default_factory=dict)
    covariates: tuple[str, ...] = ()
    complete_pairs: bool = False
    alpha: float = Field(default=0.1, gt=0, lt=1)
    lfc_threshold: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    alternative: Literal["greaterAbs", "lessAbs", "greater", "less"] = "greaterAbs"
    reduced: str | None = None
    shrink: Literal["apeglm"] | None = None
    label: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> Contrast:
        named = [name for name in ("variable", "level", "reference") if getattr(self, name) is not None]
        given = [bool(named), self.coefficient is not None, self.vector is not None]
        if sum(given) != 1:
            raise ValueError(f"give one of: {_KINDS}")
        if named and len(named) < 3:
            raise ValueError(
                f"a comparison of two levels needs variable, level and reference, but has {named} only"
            )
        if self.vector is not None and not any(self.vector.values()):
            raise ValueError("every weight of the vector is 0, so nothing is compared")
        if self.complete_pairs and not named:
            raise ValueError("complete_pairs goes with a comparison of two levels")
        return self

    @model_validator(mode="after")
    def _in_design(self) -> Contrast:
        if not self.design.lstrip().startswith("~"):
            raise ValueError("design is a formula that begins with ~")
        named = ([self.pair.variable] if self.pair else []) + list(self.reference_levels)
        for variable in named:
            if not re.search(rf"\b{re.escape(variable)}\b", self.design):
                raise ValueError(f"variable {variable!r} is not in the design {self.design!r}")
        if self.pair and self.level == self.reference:
            raise ValueError("level and reference are the same")
        return self

    @model_validator(mode="after")
    def _testable(self) -> Contrast:
        if self.reduced is not None and (self.lfc_threshold or self.alternative != "greaterAbs"):
            raise ValueError(
                "a likelihood-ratio test has no fold change to bound: drop `reduced`, or lfc_threshold and alternative"
            )
        if self.alternative == "lessAbs" and not self.lfc_threshold:
            raise ValueError("lessAbs needs a positive lfc_threshold")
        return self

    @property
    def pair(self) -> LevelPair | None:
        """The compared levels; None for a coefficient or a vector."""
        if self.variable is None or self.level is None or self.reference is None:
            return None
        return LevelPair(self.variable, self.level, self.reference)

    @property
    def compares(self) -> str:
        """What is compared, in words."""
        if self.pair is not None:
            return f"{self.variable}: {self.level} vs {self.reference}"
        if self.vector is None:
            return str(self.coefficient)
        terms = [
            f"{'-' if weight < 0 else '+'} {abs(weight):g} {name}" for name, weight in self.vector.items()
        ]
        return " ".join(terms).removeprefix("+ ")

    @property
    def test(self) -> str:
        """Which test is made, in words."""
        if self.reduced is not None:
            return f"likelihood-ratio test against {self.reduced}"
        size = f"{self.lfc_threshold:g}"
        claims = {
            "greaterAbs": f"|log2 fold change| > {size}",
            "lessAbs": f"|log2 fold change| < {size}",
            "greater": f"log2 fold change > {size}",
            "less": f"log2 fold change < {'-' if self.lfc_threshold else ''}{size}",
        }
        plain = self.alternative == "greaterAbs" and not self.lfc_threshold
        return "Wald test" if plain else f"Wald test of {claims[self.alternative]}"


class Privacy(_Section):
    """What could identify a subject, and whether pseudonymized tables are wanted (key: ``FM_PSEUDONYM_KEY``)."""

    quasi_identifiers: tuple[str, ...] = ()
    k: int = Field(default=3, ge=2)
    pseudonyms: bool = False


class Gate(_Section):
    """When the gate stops a half: the largest share of a source's rows that may be set aside."""

    max_set_aside: float = Field(default=0.2, ge=0, le=1)


class Schedule(_Section):
    """When the nightly refresh looks for work."""

    cron: str = "0 2 * * *"
    timezone: str = "UTC"

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        if not _CRON.match(value):
            raise ValueError("write five cron fields, e.g. 0 2 * * * for two in the morning")
        return value

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("no such time zone; write a name such as UTC or Europe/Berlin") from None
        return value


class Study(_Section):
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


def load_study(folder: Path) -> Study:
    """Read and check ``folder/study.yaml``.

    Raises:
        InputError: study.yaml is missing, malformed or inconsistent; the message names the line and the mend.
    """
    document = read_yaml(folder / STUDY_FILE)
    study = parse_model(_with_contrast_file(document, folder), Study)
    study._folder = folder
    study._document = document
    for problem in (_check_ids, _check_visits):
        problem(study)
    if all(source.format != "redcap" for source in study.clinical.values()):
        check_references(study)
    return study


def _with_contrast_file(document: YamlDocument, folder: Path) -> YamlDocument:
    """Replace ``contrasts: file.csv`` (nf-core layout: id, variable, reference, target, blocking) by its rows."""
    data = document.data
    if not isinstance(data, dict) or not isinstance(data.get("contrasts"), str):
        return document
    import csv

    name = data["contrasts"]
    try:
        with (folder / name).open(newline="", encoding="utf-8-sig") as handle:
            rows = list(csv.DictReader(handle))
    except FileNotFoundError:
        raise InputError(
            f"contrast file {name} does not exist",
            file=document.path,
            line=document.line_of("contrasts"),
            mend="put it into the study folder, or list the contrasts in study.yaml",
        ) from None
    except (UnicodeDecodeError, IsADirectoryError, csv.Error):
        raise InputError(
            "not a CSV in UTF-8",
            file=folder / name,
            mend="save it as UTF-8 text in nf-core's layout: id,variable,reference,target,blocking",
        ) from None
    needed = {"id", "variable", "reference", "target"}
    if not rows or not needed <= set(rows[0]):
        raise InputError(
            f"a contrast file needs the columns {', '.join(sorted(needed))}",
            file=folder / name,
            line=1,
            mend="use nf-core's layout: id,variable,reference,target,blocking",
        )
    for name_of_column in set(rows[0]) - needed - {"blocking"}:
        if any(row[name_of_column] for row in rows):
            raise InputError(
                f"column {name_of_column!r} of a contrast file is not understood, and it may change the analysis",
                file=folder / name,
                line=1,
                mend="list these contrasts in study.yaml, where subset and design can be given",
            )
    contrasts = []
    for row in rows:
        blocking = [part for part in (row.get("blocking") or "").split(";") if part]
        contrasts.append(
            {
                "id": row["id"],
                "design": "~ " + " + ".join([*blocking, row["variable"]]),
                "variable": row["variable"],
                "level": row["target"],
                "reference": row["reference"],
            }
        )
    return YamlDocument(document.path, document.text, {**data, "contrasts": contrasts}, document.lines)


def _check_ids(study: Study) -> None:
    sections: tuple[tuple[str, Sequence[Visit | Outcome | Responder | Contrast]], ...] = (
        ("visits", study.visits),
        ("outcomes", study.outcomes),
        ("responders", study.responders),
        ("contrasts", study.contrasts),
    )
    for section, entries in sections:
        counts = Counter(entry.id for entry in entries)
        for index, entry in enumerate(entries):
            if counts[entry.id] > 1:
                raise study.error(
                    f"{section}: id {entry.id!r} appears twice",
                    section,
                    index,
                    "id",
                    mend="give each its own id",
                )
    for name in study.clinical:
        if name.startswith("stg_") or name in (
            "samples",
            "counts",
            "count_columns",
            "genes",
            "gene_sets",
            "withdrawals",
        ):
            raise study.error(
                f"clinical source {name!r}: that name is the platform's own",
                "clinical",
                name,
                mend="rename it",
            )


def _check_visits(study: Study) -> None:
    if not study.visits:
        for name, source in study.clinical.items():
            if source.by_visit:
                raise study.error(
                    f"source {name} has visits, but no `visits:` are declared",
                    "clinical",
                    name,
                    mend="add a `visits:` list with one `baseline: true`",
                )
        return
    baselines = [visit.id for visit in study.visits if visit.baseline]
    if len(baselines) != 1:
        raise study.error(
            f"visits: {len(baselines)} of them are marked baseline",
            "visits",
            mend="mark exactly one `baseline: true`",
        )
    if any(source.by_window for source in study.clinical.values()):
        _check_windows(study)
    seen: dict[str, str] = {}
    for index, visit in enumerate(study.visits):
        for text in visit.found_as:
            if text in seen or text in study.unscheduled:
                raise study.error(
                    f"visit value {text!r} stands for two visits",
                    "visits",
                    index,
                    mend="give it to one of them",
                )
            seen[text] = visit.id


def _check_windows(study: Study) -> None:
    """Where a visit is told by its day, every visit needs days of its own."""
    taken: dict[int, str] = {}
    for index, visit in enumerate(study.visits):
        window = visit.window or ((visit.day, visit.day) if visit.day is not None else None)
        if window is None:
            raise study.error(
                f"visit {visit.id} has neither a window nor a day, and a source has no visit column",
                "visits",
                index,
                mend="add `window: [low, high]`",
            )
        for day in range(window[0], window[1] + 1):
            if day in taken:
                raise study.error(
                    f"day {day} belongs to {taken[day]} and to {visit.id}",
                    "visits",
                    index,
                    mend="part the windows",
                )
            taken[day] = visit.id


def check_references(study: Study) -> None:
    """Check what sections say of each other; of a REDCap export once its forms are known.

    Raises:
        InputError: A source, outcome or score that is named is not declared.
    """
    for index, use in enumerate(study.instruments):
        if use.source not in study.clinical:
            raise study.error(
                f"instrument {use.use}: source {use.source!r} is not declared under clinical",
                "instruments",
                index,
                "source",
                mend=f"use one of: {', '.join(study.clinical) or 'none declared'}",
            )
    for index, outcome in enumerate(study.outcomes):
        if outcome.column and outcome.column.split(".")[0] not in study.clinical:
            raise study.error(
                f"outcome {outcome.id}: no source named {outcome.column.split('.')[0]!r}",
                "outcomes",
                index,
                "column",
                mend=f"use one of: {', '.join(study.clinical) or 'none declared'}",
            )
    outcome_ids = [outcome.id for outcome in study.outcomes]
    for index, responder in enumerate(study.responders):
        if responder.outcome not in outcome_ids:
            raise study.error(
                f"responder {responder.id}: no outcome {responder.outcome!r}",
                "responders",
                index,
                "outcome",
                mend=f"use one of: {', '.join(outcome_ids) or 'none declared'}",
            )
    if study.contrasts and not study.has_expression:
        raise study.error(
            "contrasts need an expression half", "contrasts", mend="add `expression:` or drop them"
        )
    if study.gene_sets and not study.contrasts:
        raise study.error(
            "gene sets are tested on the genes that a contrast ranks, and there is none",
            "gene_sets",
            mend="add `contrasts:`, or drop this key",
        )
