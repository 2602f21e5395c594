"""The gate's rules: which apply to a source, what each is called, and which columns it looks at.

Belongs here: the catalogue of rule ids and its application to a study. Does not belong here: the SQL that
finds rows (``cell_findings``, ``row_findings``), or what Great Expectations is asked (``expectations``).

Scope ``cell`` nulls the cell and keeps the row, ``row`` sets the row aside, ``query`` only counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from fm_platform.study.model import Study
from fm_platform.validation.declared import DATE, NUMBER, DeclaredColumn, columns_of_source
from fm_platform.validation.roles import subject_role, subject_sources

Scope = Literal["cell", "row", "query"]

FIQR, ACR2016 = "fiqr", "acr2016"
NRS_RANGE = (Decimal(0), Decimal(10))

RULES: dict[str, tuple[Scope, str]] = {
    "FM001": ("cell", "A FIQR answer is a whole number of the item's range"),
    "FM002": ("cell", "An answer is a whole number of the item's range"),
    "FM003": ("query", "A recorded total is within 0.05 of the one computed from the answers"),
    "FM004": ("query", "A recorded WPI is the number of painful areas"),
    "FM005": ("query", "A recorded sum is WPI plus SSS, or what else the answers give"),
    "FM007": ("row", "A subject has one row, or one row a visit; of several, none is taken"),
    "FM011": ("row", "A subject with a visit has an accepted row in the sources with one row a subject"),
    "FM019": ("cell", "A 0..10 scale does not hold 11 to 100, which would be another unit"),
    "FM022": ("row", "The visit is one that study.yaml declares"),
    "FM023": ("row", "The row names a subject"),
    "FM024": ("cell", "A date is one of the calendar, in the declared order, with a four-digit year"),
    "FM025": ("cell", "A number can be read and is in its declared range"),
    "FM026": ("query", "What belongs to the subject is the same at every visit"),
    "FM027": ("cell", "A REDCap field holds what its dictionary allows: type (rule C), choice (rule G)"),
    "FM028": ("query", "A REDCap number, date or time is in the range of its dictionary (rule D)"),
    "FM029": ("query", "A REDCap field that is required and always shown has a value (rule B)"),
    "FM033": ("row", "The subject had not withdrawn"),
}
"""Rule id to scope and to what must hold."""


@dataclass(frozen=True)
class Rule:
    """One rule applied to some columns of a source; one check in Dagster.

    Attributes:
        id: The rule.
        check: The check's name, unique within the source.
        columns: The columns it looks at (none for rules about keys).
    """

    id: str
    check: str
    columns: tuple[DeclaredColumn, ...] = ()

    @property
    def scope(self) -> Scope:
        """What a finding does."""
        return RULES[self.id][0]

    @property
    def description(self) -> str:
        """What must hold, one sentence."""
        return f"{RULES[self.id][1]} ({self.id})."


def rules_of(study: Study, columns: Sequence[DeclaredColumn], source: str) -> tuple[Rule, ...]:
    """The rules that apply to a source, in the order in which their checks are listed.

    Args:
        study: The study.
        columns: Every declared column of the study.
        source: The clinical source.
    """
    decisive = columns_of_source(columns, source)
    by_visit = study.clinical[source].by_visit
    rules = [Rule("FM023", "fm023_subject_named")]
    if by_visit:
        rules.append(Rule("FM022", "fm022_visit_declared"))
    if study.clinical[source].grain != "record":
        rules.append(Rule("FM007", "fm007_no_duplicates"))
    if by_visit and subject_sources(study):
        rules.append(Rule("FM011", "fm011_subject_known"))
    if study.withdrawals is not None:
        rules.append(Rule("FM033", "fm033_withdrawn"))
    rules += _item_rules(decisive)
    numbers = tuple(entry for entry in decisive if entry.is_number and entry.kind not in ("item", "field"))
    if numbers:
        rules.append(Rule("FM025", "fm025_numbers", numbers))
    scales = tuple(entry for entry in decisive if is_scale(entry))
    if scales:
        rules.append(Rule("FM019", "fm019_units", scales))
    dates = tuple(entry for entry in decisive if entry.type == DATE and entry.kind != "field")
    if dates:
        rules.append(Rule("FM024", "fm024_dates", dates))
    rules += _dictionary_rules(decisive)
    for entry in decisive:
        if entry.kind == "total" and not _recorded_only(study, entry):
            rule = total_rule(entry)
            rules.append(Rule(rule, f"{rule.lower()}_{entry.instrument}_{entry.domain}", (entry,)))
    constant = _constant_columns(study, columns, source)
    if by_visit and constant:
        rules.append(Rule("FM026", "fm026_subject_constant", constant))
    return tuple(rules)


def range_rule(entry: DeclaredColumn) -> str:
    """The rule that a number outside its range breaks."""
    if entry.kind == "field":
        return "FM027"
    if entry.kind != "item":
        return "FM025"
    return "FM001" if entry.instrument == FIQR else "FM002"


def is_scale(entry: DeclaredColumn) -> bool:
    """Whether a column is a 0..10 scale that could hold an undeclared unit (FIQR items have FM001)."""
    return (
        (entry.low, entry.high) == NRS_RANGE and entry.factor == 1 and range_rule(entry) in ("FM002", "FM025")
    )


def total_rule(entry: DeclaredColumn) -> str:
    """The rule that a recorded total breaks when it differs from the answers."""
    if entry.instrument != ACR2016:
        return "FM003"
    return "FM004" if entry.domain == "wpi" else "FM005"


def _recorded_only(study: Study, entry: DeclaredColumn) -> bool:
    """Whether a total has no answers to be compared with."""
    return any(
        use.recorded_only and entry.column in use.totals.values() and use.source == entry.source
        for use in study.instruments
    )


def _dictionary_rules(columns: Sequence[DeclaredColumn]) -> list[Rule]:
    """What a REDCap dictionary asks of the fields that study.yaml does not name."""
    fields = tuple(entry for entry in columns if entry.kind == "field")
    bounded = tuple(
        e for e in fields if any(e.span) or (e.type == NUMBER and (e.low is not None or e.high is not None))
    )
    required = tuple(entry for entry in fields if entry.required)
    rules = [
        Rule("FM027", "fm027_dictionary", tuple(e for e in fields if e.is_checked)),
        Rule("FM028", "fm028_dictionary_ranges", bounded),
        Rule("FM029", "fm029_required_fields", required),
    ]
    return [rule for rule in rules if rule.columns]


def _item_rules(columns: Sequence[DeclaredColumn]) -> list[Rule]:
    """One rule per instrument and domain."""
    domains: dict[tuple[str, str], list[DeclaredColumn]] = {}
    for entry in columns:
        if entry.kind == "item":
            domains.setdefault((entry.instrument, entry.domain), []).append(entry)
    rules = []
    for (instrument, domain), entries in domains.items():
        rule = range_rule(entries[0])
        rules.append(Rule(rule, f"{rule.lower()}_{instrument}_{domain}", tuple(entries)))
    return rules


def _constant_columns(
    study: Study, columns: Sequence[DeclaredColumn], source: str
) -> tuple[DeclaredColumn, ...]:
    """Subject attributes of a source with visits that tables use; age may grow."""
    names = [*study.population, *([study.strata] if study.strata else [])]
    roles = {"sex", "arm", "site", *(subject_role(study, name) for name in names)}
    return tuple(
        entry
        for entry in columns
        if entry.source == source
        and entry.kind == "attribute"
        and entry.role in roles
        and not entry.is_number
    )
