"""Which delivered cells a data query asks about: a row a rule.

Belongs here: from a rule and an item to sources and columns. Does not belong here: what those cells hold
(``query_answers``), or what follows from it (``query_history``).

A query whose cells are as they were has not been answered, whatever else was delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from fm_platform.study.model import Study
from fm_platform.validation.clinical_queries import PAIN
from fm_platform.validation.declared import DeclaredColumn
from fm_platform.validation.roles import subject_sources, visit_sources
from fm_platform.validation.rules import ACR2016, FIQR, RULES, rules_of
from fm_platform.validation.withdrawals import RULE as WITHDREW

SAMPLES = "samples"
CHANGED, LOST, OF_SAMPLES = "FM017", "FM021", "FM018"
OF_ABSENCE = frozenset({"FM016", LOST})
"""Rules that ask why something is not there."""

OF_UNREAD_KEYS = frozenset({"FM022", "FM023"})
"""Rules about rows whose own key, once it is mended, is another."""

OF_STAGED = frozenset(
    {"FM006", "FM008", "FM009", "FM010", "FM012", "FM013", "FM014", "FM015", "FM016", "FM034", OF_SAMPLES}
)
"""Rules on accepted rows: they say nothing of a row that is set aside."""

Scope = Literal["row", "text", "baseline", "subject", "source"]


@dataclass(frozen=True)
class Cells:
    """Some cells of a source.

    Attributes:
        source: The clinical source.
        columns: File columns; without any, rows are counted.
        scope: Of the query's row; of the rows whose visit has the query's text; of the row and of the subject's
            baseline; of all rows of the subject, or of the source.
    """

    source: str
    columns: tuple[str, ...] = ()
    scope: Scope = "row"


@dataclass(frozen=True)
class Asked:
    """A rule about an item of a source. ``columns`` are all declared ones of the study."""

    study: Study
    columns: tuple[DeclaredColumn, ...]
    source: str
    item: str | None

    def named(self, wanted: Callable[[DeclaredColumn], bool], scope: Scope = "row") -> list[Cells]:
        """The declared columns that a test picks, a source at a time."""
        found: dict[str, dict[str, None]] = {}
        for entry in self.columns:
            if wanted(entry):
                found.setdefault(entry.source, {})[entry.column] = None
        return [Cells(source, tuple(names), scope) for source, names in found.items()]

    def items(self, instrument: str, scope: Scope = "row") -> list[Cells]:
        """The items of a questionnaire."""
        return self.named(lambda entry: entry.kind == "item" and entry.instrument == instrument, scope)

    def attribute(self, *roles: str) -> list[Cells]:
        """Attributes of the subject, wherever they stand."""
        return self.named(lambda entry: entry.kind == "attribute" and entry.role in roles, "subject")

    def own(self, scope: Scope = "row") -> list[Cells]:
        """The item as a column of the source; a checkbox's boxes."""
        boxes = f"{self.item}___"
        return self.named(
            lambda e: e.source == self.source and (e.column == self.item or e.column.startswith(boxes)), scope
        )


def cells_asked(
    rule: str, source: str, item: str | None, study: Study, columns: Iterable[DeclaredColumn]
) -> list[Cells]:
    """The cells that a query of a rule asks about; none where study.yaml no longer gives it anything to ask.

    Args:
        rule: For example ``FM008``.
        source: The query's source; empty where it is about no single one.
        item: The query's item.
        study: The study.
        columns: Every declared column of the study.
    """
    asked = Asked(study, tuple(columns), source, item)
    if rule in RULES and source:
        return _of_rows(rule, asked)
    if source and source != SAMPLES and source not in study.clinical:
        return []
    of_rule = OTHER_RULES.get(rule)
    return of_rule(asked) if of_rule is not None else []


def _of_rows(rule: str, asked: Asked) -> list[Cells]:
    """Rules of the gate: in force where the source still has them, for the item."""
    source, study = asked.source, asked.study
    rules = rules_of(study, asked.columns, source) if source in study.clinical else ()
    names = {entry.column for one in rules if one.id == rule for entry in one.columns}
    if not any(one.id == rule for one in rules) or (names and asked.item not in names):
        return []
    if rule == "FM011":
        return [Cells(other, (), "subject") for other in subject_sources(study)]
    if rule == "FM022":
        return [Cells(source, (), "text"), Cells(source, (), "subject")]
    if rule == "FM023":
        return [Cells(source), Cells(source, (), "source")]
    if rule in ("FM007", WITHDREW):
        return [Cells(source)]
    if rule in ("FM003", "FM004", "FM005"):
        total = {
            e.instrument
            for e in asked.columns
            if e.kind == "total" and (e.source, e.column) == (source, asked.item)
        }
        return asked.own() + [cells for name in sorted(total) for cells in asked.items(name)]
    return asked.own("subject" if rule == "FM026" else "row")


def _visits_of(asked: Asked, scope: Scope) -> list[Cells]:
    return [Cells(source, (), scope) for source in visit_sources(asked.study)]


def _dates(asked: Asked) -> list[Cells]:
    own = asked.named(lambda entry: entry.kind == "date" and entry.source == asked.source, "subject")
    return own + asked.attribute("start") if own else []


def _first_dose(asked: Asked) -> list[Cells]:
    dose = asked.attribute("first_dose")
    return (
        asked.named(lambda entry: entry.kind == "date" and entry.source == asked.source) + dose
        if dose
        else []
    )


def _pain(asked: Asked) -> list[Cells]:
    item = asked.named(lambda entry: entry.item == PAIN)
    return asked.own() + item if item else []


def _areas(asked: Asked) -> list[Cells]:
    areas = asked.items(ACR2016)
    return areas + asked.named(lambda entry: entry.item == PAIN) if areas else []


def _row_of_form(asked: Asked) -> list[Cells]:
    own = asked.own()
    return asked.named(lambda entry: entry.source == asked.source) if own else []


OTHER_RULES: dict[str, Callable[[Asked], list[Cells]]] = {
    "FM006": _pain,
    "FM008": _dates,
    "FM009": _first_dose,
    "FM010": lambda asked: asked.attribute("fm_type", "concomitant_dx"),
    "FM011": lambda asked: _visits_of(asked, "subject"),
    "FM012": lambda asked: asked.items(FIQR),
    "FM013": _areas,
    "FM014": lambda asked: asked.items(FIQR, "baseline"),
    "FM015": lambda asked: asked.items(ACR2016),
    "FM016": lambda asked: _visits_of(asked, "row"),
    CHANGED: lambda asked: asked.own(),
    OF_SAMPLES: lambda asked: [
        Cells(SAMPLES),
        *(Cells(source, (), "subject") for source in asked.study.clinical),
    ],
    LOST: lambda asked: [Cells(asked.source, (), "row" if asked.item == "visit" else "subject")],
    "FM034": lambda asked: [Cells(source, (), "subject") for source in asked.study.clinical],
    "FM030": lambda asked: asked.own(),
    "FM031": _row_of_form,
    "FM032": _row_of_form,
}
"""Rules that are not the gate's."""
