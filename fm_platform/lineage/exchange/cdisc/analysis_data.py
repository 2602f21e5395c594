"""What the formats of CDISC say of ``marts.adsl`` and ``marts.adqs``, read from a publication.

Belongs here: parameters, visits, outcomes, shapes of columns, levels and analyses, as values. Does not belong here: any
format. Of people's rows only lengths and levels are kept, and of levels only those that enough people share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from fm_platform.lineage.environment import KIND, Contexts, in_words
from fm_platform.lineage.exchange.inventory import Inventory
from fm_platform.privacy.pseudonyms import PSEUDONYM_LENGTH
from fm_platform.warehouse.names import identifier
from fm_platform.warehouse.reader import Published

ADSL, ADQS = "marts.adsl", "marts.adqs"
LEVELLED = ("SEX", "ARM", "SITEID", "STRAT1")
"""Columns of ``marts.adsl`` whose values are levels."""
DOUBLE_DIGITS = 15
"""Decimal digits that every double holds."""


@dataclass(frozen=True)
class Shape:
    """How the values of a column look: data type of Define-XML, length in characters, digits behind the point."""

    type: str
    length: int
    digits: int = 0
    empty: bool = False


@dataclass(frozen=True)
class Parameter:
    """An analysis parameter: ``score`` or ``variable`` says which staged records it is read from."""

    code: str
    label: str
    number: int
    score: str | None
    variable: str | None


@dataclass(frozen=True)
class PlannedVisit:
    """A planned visit, with its order."""

    id: str
    label: str
    position: int


@dataclass(frozen=True)
class TrackedOutcome:
    """An outcome of study.yaml and the parameter that it is."""

    id: str
    label: str
    parameter: Parameter
    family: str | None
    better: str


@dataclass(frozen=True)
class AnalysedResult:
    """One analysis that ``stats.*`` holds a row of for all subjects.

    Attributes:
        table: The result table.
        id: Id of the outcome, or of the responder definition, in study.yaml.
        subject: The same in words.
        outcome: The outcome that it is about.
        visit: The visit that is compared with baseline.
        method: What the table says of the method.
        rule: What makes a responder; None elsewhere.
    """

    table: str
    id: str
    subject: str
    outcome: TrackedOutcome
    visit: PlannedVisit
    method: str
    rule: str | None = None


@dataclass(frozen=True)
class AnalysisData:
    """Everything the formats need.

    Attributes:
        shapes: By (table, column).
        values: Shape of AVAL by parameter code.
        levels: By column of ``marts.adsl``: the levels that at least ``k`` people share.
        k: See there.
        scoring: By score: its rule in words.
        environments: By table of ``stats``: what it was made with, in words, as far as the ledger says.
    """

    inventory: Inventory
    parameters: tuple[Parameter, ...]
    visits: tuple[PlannedVisit, ...]
    results: tuple[AnalysedResult, ...]
    shapes: Mapping[tuple[str, str], Shape] = field(default_factory=dict)
    values: Mapping[str, Shape] = field(default_factory=dict)
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    k: int = 3
    scoring: Mapping[str, str] = field(default_factory=dict)
    environments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def code_of(self, table: str) -> tuple[str, str]:
        """What made a table of ``stats``: the language, and which code."""
        facts, environment = self.inventory.tables[table], self.environments.get(table, {})
        parts = [environment.get("package"), f"code version {facts.code_version}"]
        parts += [f"lock {environment['lock']}"] if "lock" in environment else []
        parts += [f"ledger record {facts.seq}, {facts.record_hash}", f"run {facts.run_id}, {facts.at}"]
        return environment.get("Python", "Python"), f"{table}: {'; '.join(part for part in parts if part)}"


def read_analysis_data(
    published: Published, inventory: Inventory, k: int, scoring: Mapping[str, str] | None = None
) -> AnalysisData:
    """Read a publication.

    Args:
        published: The open publication.
        inventory: Its inventory.
        k: How many people must share a level for it to be told.
        scoring: By score: its rule in words.
    """
    parameters = tuple(
        Parameter(*row)
        for row in published.query(
            "SELECT paramcd, param, paramn, score_id, variable FROM study.parameters ORDER BY paramn"
        ).iter_rows()
    )
    visits = tuple(
        PlannedVisit(*row)
        for row in published.query(
            "SELECT visit_id, label, position FROM study.visits ORDER BY position"
        ).iter_rows()
    )
    values = published.query(f"SELECT DISTINCT PARAMCD, AVAL FROM {ADQS}")
    return AnalysisData(
        inventory,
        parameters,
        visits,
        _results(published, parameters, visits),
        {
            (table, column.name): _shape(published, table, column.name, column.type)
            for table in (ADSL, ADQS)
            for column in inventory.tables[table].own_columns
        },
        {str(code): number_shape(own["AVAL"]) for (code,), own in values.group_by("PARAMCD")},
        {column: _levels(published, column, k) for column in LEVELLED},
        k,
        scoring or {},
        _environments(published, inventory),
    )


def _environments(published: Published, inventory: Inventory) -> dict[str, dict[str, str]]:
    rows = published.query(f"SELECT seq, kind, body FROM audit.ledger WHERE kind = '{KIND}'")
    contexts = Contexts.of_rows(rows.iter_rows())
    return {
        table: in_words(contexts.before(KIND, facts.seq) or {})
        for table, facts in inventory.tables.items()
        if facts.schema == "stats"
    }


def number_shape(values: pl.Series) -> Shape:
    """The shape of numbers: whole ones are integers, others have the digits that they print with."""
    texts = [format(value, f".{DOUBLE_DIGITS}g") for value in values.drop_nulls().cast(pl.Float64).unique()]
    if not texts:
        return Shape("float", 1, 0, empty=True)
    plain = [text for text in texts if "e" not in text]
    whole = max((len(text.partition(".")[0].lstrip("-")) for text in plain), default=DOUBLE_DIGITS)
    digits = min(
        max((len(text.partition(".")[2]) for text in plain), default=0), max(DOUBLE_DIGITS - whole, 0)
    )
    return Shape("integer" if digits == 0 and len(plain) == len(texts) else "float", whole + digits, digits)


def _shape(published: Published, table: str, column: str, kind: str) -> Shape:
    name, source = identifier(column), table
    if kind == "VARCHAR":
        (longest,) = published.query(f"SELECT max(length({name})) FROM {source}").row(0)
        least = PSEUDONYM_LENGTH if column == "USUBJID" else 1
        return Shape("text", max(longest or 1, least), empty=longest is None)
    found = published.query(f"SELECT DISTINCT {name} AS value FROM {source}")["value"]
    shape = number_shape(found)
    whole = kind.endswith("INT") or kind.endswith("INTEGER")
    return Shape("integer", shape.length, empty=shape.empty) if whole else shape


def _levels(published: Published, column: str, k: int) -> tuple[str, ...]:
    name = identifier(column)
    rows = published.query(
        f"SELECT {name} FROM {ADSL} WHERE {name} IS NOT NULL GROUP BY 1 HAVING count(*) >= {int(k)} "
        "ORDER BY 1"
    )
    return tuple(rows.to_series())


def _results(
    published: Published, parameters: tuple[Parameter, ...], visits: tuple[PlannedVisit, ...]
) -> tuple[AnalysedResult, ...]:
    outcomes = _outcomes(published, parameters)
    planned = {visit.id: visit for visit in visits}
    change = published.query(
        "SELECT s.outcome, s.visit, s.method FROM stats.symptom_change s JOIN study.outcomes o "
        "ON o.outcome_id = s.outcome JOIN study.visits v ON v.visit_id = s.visit WHERE s.stratum IS NULL "
        "ORDER BY o.position, v.position"
    )
    responders = published.query(
        "SELECT r.responder, d.label, r.outcome, r.visit, r.method || ', ' || r.denominator, r.reduction_percent "
        "FROM stats.responders r JOIN study.responders d ON d.responder_id = r.responder "
        "JOIN study.visits v ON v.visit_id = r.visit WHERE r.stratum IS NULL ORDER BY r.responder, v.position"
    )
    return (
        *(
            AnalysedResult(
                "stats.symptom_change", id, outcomes[id].label, outcomes[id], planned[visit], method
            )
            for id, visit, method in change.iter_rows()
        ),
        *(
            AnalysedResult(
                "stats.responders",
                id,
                label or id,
                outcomes[outcome],
                planned[visit],
                method,
                _rule(outcomes[outcome], reduction),
            )
            for id, label, outcome, visit, method, reduction in responders.iter_rows()
        ),
    )


def _rule(outcome: TrackedOutcome, reduction: int) -> str:
    sign = "PCHG <= -" if outcome.better == "lower" else "PCHG >= "
    return f"A subject responds where {sign}{reduction:g}."


def _outcomes(published: Published, parameters: tuple[Parameter, ...]) -> dict[str, TrackedOutcome]:
    of_score = {parameter.score: parameter for parameter in parameters if parameter.score}
    of_variable = {parameter.variable: parameter for parameter in parameters if parameter.variable}
    return {
        row["outcome_id"]: TrackedOutcome(
            row["outcome_id"],
            row["label"] or row["outcome_id"],
            of_score[row["score_id"]] if row["score_id"] else of_variable[row["variable"]],
            row["family"],
            row["better"],
        )
        for row in published.query("SELECT * FROM study.outcomes ORDER BY position").iter_rows(named=True)
    }
