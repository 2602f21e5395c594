"""The clinical half of study.yaml: files, visits, instruments, outcomes and responders.

Belongs here: their shape and what is wrong within one entry. Does not belong here: what entries say of each other
(``references``), or an instrument's items.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Literal

from pydantic import Field, field_validator, model_validator

from fm_platform.study.values import Aggregate, Section, Slug, Texts


class UnitConversion(Section):
    """A declared unit of a column and the unit that the platform works in."""

    from_unit: Literal["mm", "nrs"] = Field(alias="from")
    to_unit: Literal["mm", "nrs"] = Field(alias="to")

    @property
    def factor(self) -> Fraction:
        """What a delivered number is multiplied with (100 mm of a visual scale are 10 points)."""
        steps = {"mm": 1, "nrs": 10}
        return Fraction(steps[self.from_unit], steps[self.to_unit])


class ClinicalSource(Section):
    """One clinical file.

    ``columns`` maps roles to column names: ``subject`` (one name or several), ``visit``, ``date``, ``arm``, ``site``,
    ``missing_reason``, ``sex``, ``age``, or any further subject attribute. ``aliases`` says, by column, which
    text an id or level that is spelled in two ways means; a text that means itself is known to be another one.
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
    decimal: Literal["point", "comma"] | None = None
    missing: tuple[str | dict[str, str], ...] = ("",)
    dates: Literal["ymd", "dmy", "mdy"] | None = None
    units: dict[str, UnitConversion] = Field(default_factory=dict)
    aliases: dict[str, dict[str, str]] = Field(default_factory=dict)

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


class Visit(Section):
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


class InstrumentUse(Section):
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


class Outcome(Section):
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


class Responder(Section):
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
