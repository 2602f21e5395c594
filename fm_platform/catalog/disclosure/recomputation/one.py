"""The folder of one number: its row of published.csv, and of the inputs only what the number needs.

Belongs here: choosing by the number's table and key. Does not belong here: reading the inputs, writing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from fm_platform.catalog.graph import Catalog
from fm_platform.errors import InputError
from fm_platform.reporting.recomputation.numbers import NOT_RECOMPUTED, TABLES
from fm_platform.statistics.multiplicity import OF_FAMILY

Where = Sequence[tuple[str, str | None]]
Inputs = Mapping[str, pl.DataFrame]

_SCORED = (
    *(
        "parameters",
        "participants",
        "visits",
        "outcomes",
        "answers",
        "measures",
        "recorded_scores",
        "visits_given",
    ),
    *("items", "scores", "score_members", "levels"),
)
_RESPONSE = (*_SCORED, "responders", "composites")
_FILES: Mapping[str, tuple[str, ...]] = {
    "page.data_quality": ("delivered_rows",),
    "report.characteristics": ("parameters", "participants", "levels", "visits", "outcomes"),
    "report.completeness": ("participants", "visits", "outcomes", "answers", "visits_given", "items"),
    "stats.planning": (*_RESPONSE, "important_differences"),
    **dict.fromkeys(
        ("report.responders", *(f"stats.{name}" for name in ("responders", "responder_rates", "mcnemar"))),
        _RESPONSE,
    ),
    "stats.responder_arms": _RESPONSE,
}
"""Which inputs a table's numbers need; ``_SCORED`` where it is not named."""
_OF_FAMILY = (*OF_FAMILY, "family_size")
_ALL_VISITS = ("stats.sensitivity", "stats.friedman")
"""Tables whose numbers rest on the values of all visits."""


@dataclass(frozen=True)
class Asked:
    """One number.

    Attributes:
        table: Its table.
        where: What picks its row; None stands for null.
        column: Its column.
    """

    table: str
    where: Where
    column: str

    def require_recomputed(self) -> None:
        """Refuse a number that the scripts do not recompute.

        Raises:
            InputError: With the reason and the tables that they do.
        """
        why = NOT_RECOMPUTED.get(self.table)
        if self.table in TABLES:
            why = TABLES[self.table].omitted.get(self.column)
            if why is None:
                return
        raise InputError(
            f"{self.table}.{self.column} is not recomputed" + (f": {why}" if why else ""),
            mend=f"name a number of {', '.join(TABLES)}",
        )

    def among(self, rows: Iterable[Mapping[str, str]]) -> Mapping[str, str]:
        """The number's row of published.csv.

        Raises:
            InputError: No row or several fit, or the column holds no number.
        """
        mine = [row for row in rows if row["column"] == self.column and self._fits(row["key"])]
        if len(mine) == 1:
            return mine[0]
        found = "several rows fit" if mine else "no row fits"
        raise InputError(
            f"{found}, or {self.column} is no number of {self.table}",
            mend=f"pick one row with --where {' --where '.join(f'{name}=...' for name in TABLES[self.table].key)}",
        )

    def _fits(self, key: str) -> bool:
        parts = key_of(key)
        return all(name in parts and parts[name] == (value or "") for name, value in self.where)


def key_of(text: str) -> dict[str, str]:
    """A key's text as its parts."""
    return dict(part.split("=", 1) for part in text.split(";") if "=" in part)


def narrowed(catalog: Catalog, number: Mapping[str, str], inputs: Inputs) -> dict[str, pl.DataFrame]:
    """What one number of the clinical half needs of the inputs, before subjects are renamed.

    Args:
        catalog: The study's catalog.
        number: Its row of published.csv.
        inputs: All of them, by name.
    """
    table, key = number["table"], key_of(number["key"])
    kept = {name: inputs[name] for name in _FILES.get(table, _SCORED) if name in inputs}
    if table == "page.data_quality":
        return _only(kept, "delivered_rows", pl.col("source") == key["source"])
    kept = _only(kept, "participants", _people(key))
    if "responder" in key or key.get("design") == "two arms, responders":
        kept = _definition(kept, key.get("responder", key.get("variable", "")))
    elif "outcome" in key or ("variable" in key and table == "stats.planning"):
        kept = _outcome(kept, key.get("outcome", key.get("variable", "")), number["column"] in _OF_FAMILY)
    if table == "report.completeness":
        kept = _only(kept, "items", pl.col("instrument") == key["instrument"])
        kept = _only(kept, "answers", pl.col("item") == key["item"])
    visits = {key[name] for name in ("visit", "first_visit", "second_visit") if name in key}
    if visits and table not in _ALL_VISITS and number["column"] not in _OF_FAMILY:
        kept = _at_visits(kept, visits, baseline=table not in ("page.values_recorded", "report.completeness"))
    return {name: frame for name, frame in _of_people(catalog, kept).items() if frame.height}


def _only(kept: Inputs, name: str, which: pl.Expr) -> dict[str, pl.DataFrame]:
    return {**kept, name: kept[name].filter(which)} if name in kept else dict(kept)


def _people(key: Mapping[str, str]) -> pl.Expr:
    """The population, in a stratum's number the people of the stratum."""
    stratum = key.get("stratum")
    return pl.col("in_population") & (pl.col("stratum") == stratum if stratum else pl.lit(True))


def _outcome(kept: Inputs, outcome: str, family: bool) -> dict[str, pl.DataFrame]:
    """The outcome, with the others of its family where the number is adjusted for them."""
    own = kept["outcomes"].filter(pl.col("outcome_id") == outcome)
    families = own["family"].drop_nulls().to_list() if family else []
    wanted = (pl.col("outcome_id") == outcome) | pl.col("family").is_in(families)
    return _only(kept, "outcomes", wanted)


def _definition(kept: Inputs, responder: str) -> dict[str, pl.DataFrame]:
    """The responder definition, and the outcome that it looks at."""
    found = _only(kept, "responders", pl.col("responder_id") == responder)
    found = _only(found, "composites", pl.col("responder") == responder)
    outcomes = found["responders"]["outcome_id"].to_list() if "responders" in found else []
    return _only(found, "outcomes", pl.col("outcome_id").is_in(outcomes))


def _at_visits(kept: Inputs, visits: set[str], *, baseline: bool) -> dict[str, pl.DataFrame]:
    wanted = set(visits)
    if baseline:
        wanted |= set(kept["visits"].filter(pl.col("is_baseline"))["visit_id"])
    return {
        name: frame.filter(pl.col("visit_id").is_in(wanted)) if "visit_id" in frame.columns else frame
        for name, frame in kept.items()
    }


def _of_people(catalog: Catalog, kept: Inputs) -> dict[str, pl.DataFrame]:
    """The rows of the people, and of the scores and items that outcomes and definitions look at."""
    people = kept["participants"]["subject_id"]
    found = {
        name: frame.filter(pl.col("subject_id").is_in(people.implode()))
        if "subject_id" in frame.columns
        else frame
        for name, frame in kept.items()
    }
    if "scores" not in found:
        return found
    looked_at = {text for text in found["outcomes"]["score_id"] if text}
    if "composites" in found:
        looked_at |= set(found["composites"]["score_id"])
    variables = [text for text in found["outcomes"]["variable"] if text]
    items = [
        (instrument.id, item)
        for instrument in catalog.instruments
        for score in instrument.scores
        if f"{instrument.id}.{score.id}" in looked_at
        for item in instrument.items_of(score)
    ]
    instruments = list(dict.fromkeys(name for name, _ in items))
    for name in ("items", "scores", "visits_given"):
        found = _only(found, name, pl.col("instrument").is_in(instruments))
    wanted = pl.DataFrame(items, schema={"instrument": pl.String, "item": pl.String}, orient="row")
    if "answers" in found:
        found["answers"] = found["answers"].join(
            wanted, on=["instrument", "item"], how="semi", maintain_order="left"
        )
    found = _only(found, "score_members", pl.col("score_id").is_in(found["scores"]["score_id"].implode()))
    found = _only(found, "recorded_scores", pl.col("score_id").is_in(list(looked_at)))
    return _only(found, "measures", pl.col("variable").is_in(variables))
