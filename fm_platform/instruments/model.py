"""The shape of an instrument file: items, scores, severity bands, minimal important differences.

Belongs here: frozen value types and look-ups on them. Does not belong here: reading files (``registry``),
checks of a file against itself (``consistency``), arithmetic on answers (``scoring``).
"""

from __future__ import annotations

import hashlib
import json
import re
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    model_validator,
)

_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


def _name(value: str) -> str:
    if not _NAME.match(value):
        raise ValueError("use lower-case letters, digits and _, beginning with a letter")
    return value


def _fraction(value: Any) -> Fraction:
    try:
        return Fraction(value)
    except (TypeError, ValueError, ZeroDivisionError):
        raise ValueError("write a whole number or a fraction such as 1/3") from None


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _empty_if_none(value: Any) -> Any:
    return () if value is None else value


Name = Annotated[str, AfterValidator(_name)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_tuple)]
Exact = Annotated[Fraction, PlainValidator(_fraction), PlainSerializer(str, return_type=str)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Item(_Part):
    """One question with whole-number answers.

    Attributes:
        domain: The group of items that scores refer to.
        min: Smallest answer.
        max: Largest answer.
        recall: The period asked about, as words; ``recall_days`` as days.
        choices: Answer to its words, where answers are words on the form.
        optional: A study may not have collected it, and a file may lack its column; no score may use it.
    """

    id: Name
    label: str
    domain: Name
    min: int
    max: int
    recall: str
    recall_days: int | None = None
    choices: dict[str, str] = Field(default_factory=dict)
    optional: bool = False

    @model_validator(mode="after")
    def _range(self) -> Item:
        if self.min >= self.max:
            raise ValueError(f"item {self.id}: min must be less than max")
        return self


Rule = Literal["item", "sum", "groups", "total"]
Missing = Literal["refuse", "prorate", "lowest", "highest"]


class Score(_Part):
    """One number computed from answers, in the score language.

    Rules:
        item: the answer to ``item``.
        sum: ``weight`` times the sum of the items of ``domains`` and ``items``.
        groups: how many of ``groups`` have an item above zero.
        total: the sum of the scores named in ``of``.

    What an unanswered item means (``missing``; a total inherits it from its parts):
        refuse: no value, unless every possible answer gives the same one.
        prorate: the answered items stand for all of them, if at least ``min_answered`` of them are answered.
        lowest, highest: counts as its smallest or largest answer, which gives the bounds of the score.

    A value is a whole number over ``scale``, or over ``prorated_scale`` where items were missing. ``paramcd``
    is its ADaM parameter code; without one, a code is made from its id.
    """

    id: Name
    label: str
    rule: Rule
    item: Name | None = None
    domains: Names = ()
    items: Names = ()
    groups: dict[Name, Names] = Field(default_factory=dict)
    of: Names = ()
    weight: Exact = Fraction(1)
    missing: Missing = "refuse"
    min_answered: Exact = Fraction(1)
    scale: Annotated[int, Field(ge=1)] = 1
    prorated_scale: Annotated[int, Field(ge=1)] | None = None
    better: Literal["lower", "higher"] = "lower"
    paramcd: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{0,7}$")] | None = None

    @model_validator(mode="after")
    def _fits_rule(self) -> Score:
        given = self.model_fields_set - {"id", "label", "rule", "better", "paramcd"}
        allowed = {
            "item": {"item"},
            "sum": {"domains", "items", "weight", "scale", "missing", "min_answered", "prorated_scale"},
            "groups": {"groups", "missing"},
            "total": {"of"},
        }[self.rule]
        stray = sorted(given - allowed)
        if stray:
            raise ValueError(f"score {self.id}: rule {self.rule} does not take {', '.join(stray)}")
        if not given & (allowed - {"weight", "scale", "missing", "min_answered", "prorated_scale"}):
            raise ValueError(
                f"score {self.id}: rule {self.rule} needs {' or '.join(sorted(allowed & _OPERANDS))}"
            )
        prorates = self.missing == "prorate"
        if prorates and self.rule != "sum":
            raise ValueError(f"score {self.id}: only a sum can be prorated")
        if prorates != (self.prorated_scale is not None):
            raise ValueError(f"score {self.id}: prorated_scale goes with `missing: prorate`")
        if prorates and not ("min_answered" in given and 0 < self.min_answered <= 1):
            raise ValueError(f"score {self.id}: `missing: prorate` needs min_answered, a share such as 1/2")
        if self.weight <= 0:
            raise ValueError(f"score {self.id}: weight must be above zero")
        return self


_OPERANDS = {"item", "domains", "items", "groups", "of"}


class Band(_Part):
    """A severity label up to and including ``upper``."""

    label: str
    upper: Exact


class BandScheme(_Part):
    """Published severity bands of one score; schemes disagree, so each has a name."""

    scheme: Name
    score: Name
    citation: str
    bands: tuple[Band, ...]


class Mcid(_Part):
    """A minimal clinically important difference, with the instrument it was derived on."""

    score: Name
    value: Exact
    unit: Literal["percent", "points"]
    direction: Literal["decrease", "increase"] = "decrease"
    derived_on: str
    citation: str


class Criterion(_Part):
    """At least ``at_least`` of these scores improve by ``reduction_percent`` of baseline or more."""

    scores: Names
    reduction_percent: Annotated[int, Field(ge=1, le=99)]
    at_least: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _enough(self) -> Criterion:
        if self.at_least > len(self.scores):
            raise ValueError("at_least asks for more scores than are listed")
        return self


class Composite(_Part):
    """A responder definition over several scores: every criterion is met."""

    id: Name
    label: str
    citation: str
    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1)]


class Instrument(_Part):
    """A questionnaire: what is asked and how it is scored."""

    id: Name
    title: str
    citation: str
    doi: str | None = None
    scoring_source: str | None = None
    notes: tuple[str, ...] = ()
    items: tuple[Item, ...]
    scores: tuple[Score, ...]
    bands: Annotated[tuple[BandScheme, ...], BeforeValidator(_empty_if_none)] = ()
    mcid: Annotated[tuple[Mcid, ...], BeforeValidator(_empty_if_none)] = ()
    composites: Annotated[tuple[Composite, ...], BeforeValidator(_empty_if_none)] = ()

    @property
    def item_ids(self) -> tuple[str, ...]:
        """Item ids in the order of the form; item number n is at position n - 1."""
        return tuple(item.id for item in self.items)

    @property
    def score_ids(self) -> tuple[str, ...]:
        """Full score ids as the warehouse has them, e.g. ``fiqr.total``."""
        return tuple(f"{self.id}.{score.id}" for score in self.scores)

    @property
    def domains(self) -> tuple[str, ...]:
        """Domains in the order in which they first appear."""
        return tuple(dict.fromkeys(item.domain for item in self.items))

    def item(self, item_id: str) -> Item:
        """The item with this id."""
        return next(item for item in self.items if item.id == item_id)

    def score(self, score_id: str) -> Score:
        """The score with this id, full (``fiqr.total``) or short (``total``)."""
        short = score_id.removeprefix(f"{self.id}.")
        return next(score for score in self.scores if score.id == short)

    def items_of(self, score: Score) -> tuple[str, ...]:
        """The distinct items that a score is computed from, in the order of the form."""
        if score.rule == "total":
            used = {item for part in score.of for item in self.items_of(self.score(part))}
        elif score.rule == "groups":
            used = {item for group in score.groups.values() for item in group}
        elif score.rule == "item":
            used = {str(score.item)}
        else:
            used = set(score.items) | {item.id for item in self.items if item.domain in score.domains}
        return tuple(item for item in self.item_ids if item in used)

    def range_of(self, score_id: str) -> tuple[Fraction, Fraction]:
        """The least and the greatest value that a score can take."""
        score = self.score(score_id)
        if score.rule == "groups":
            return Fraction(0), Fraction(len(score.groups))
        if score.rule == "total":
            parts = [self.range_of(part) for part in score.of]
            return sum((low for low, _ in parts), Fraction(0)), sum((high for _, high in parts), Fraction(0))
        items = [self.item(item) for item in self.items_of(score)]
        return score.weight * sum(item.min for item in items), score.weight * sum(item.max for item in items)

    def digest(self) -> str:
        """SHA-256 of the instrument as parsed (comments and layout do not count)."""
        dumped = self.model_dump(mode="json")
        canonical = json.dumps(dumped, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
