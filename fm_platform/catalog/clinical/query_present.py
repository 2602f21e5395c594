"""What a run knows when data queries are looked at again: which deliveries were judged, and what was decided.

Belongs here: reading it from the ledger and the work database. Does not belong here: the states that follow
(``validation.query_history``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fm_platform.catalog.asset import Step
from fm_platform.lineage.history import History
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.query_answers import Held, held_cells
from fm_platform.validation.query_cells import LOST, OF_STAGED, SAMPLES
from fm_platform.validation.query_history import Present, query_id
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.withdrawals import nobody_asks
from fm_platform.warehouse.ledger import sha256_text
from fm_platform.warehouse.names import relation

QUERIES = "report.data_queries"
STAGED = (
    "staging.stg_answers",
    "staging.stg_instrument_scores",
    "staging.stg_measures",
    "staging.stg_subjects",
    "staging.stg_visits",
)
"""What the rules on accepted rows look at."""

_CLINICAL = "clinical"


def is_current(history: History, table: str) -> bool:
    """Whether a table was made from its inputs as they are now, all the way up."""
    made = history.materialized.get(table)
    if made is None:
        return False
    inputs = made.body["parts"]["inputs"]
    return all(
        upstream in history.materialized
        and history.materialized[upstream].value_digest == digest
        and is_current(history, upstream)
        for upstream, digest in inputs.items()
    )


def present(step: Step, scopes: Mapping[str, str]) -> Present:
    """What is known now.

    Args:
        step: The run's step.
        scopes: Scope of withdrawal by subject.
    """
    return Present(
        today=datetime.now(UTC).date(),
        held=lambda queries: _held(step, queries),
        looked_at=_looked_at(step),
        accepted=_accepted(step),
        withdrew=lambda query: nobody_asks(query["rule"], query["subject"], scopes),
    )


def decision_on(query: Mapping[str, Any], kept: str) -> dict[str, str]:
    """What a decision says of the query it is about: its id, and the cells that were accepted."""
    name = query_id(*(query[key] for key in ("rule", "source", "subject", "event", "item")))
    return {"query": name, "asked": sha256_text(kept)}


def _held(step: Step, queries: Sequence[Mapping[str, Any]]) -> list[Held]:
    study, columns = step.study, declared_columns(step.study, step.instruments)
    there = {name for name in (*study.clinical, SAMPLES) if step.warehouse.exists(f"raw.{name}")}
    connection = step.warehouse.connection
    aside: set[tuple[str, str | None, str | None]] = set()
    for source in set(study.clinical) & there:
        if step.warehouse.exists(f"quarantine.{source}"):
            keys = RawSource(study, columns, source, relation).keys
            rows = connection.sql(
                f"select distinct k.subject_id, k.visit_id from ({keys}) as k "
                f"join {relation(f'quarantine.{source}')} as q on q._row_id = k._row_id where q.scope = 'row'"
            ).fetchall()
            aside |= {(source, subject, visit) for subject, visit in rows}
    return held_cells(connection, study, columns, relation, queries, present=there, set_aside=aside)


def _looked_at(step: Step) -> Callable[[Mapping[str, Any]], bool]:
    """Rules of a source have seen a delivery that its gate judged; rules on accepted rows, one that was staged.

    A delivery that a gate blocks answers nothing.
    """
    open_half = _CLINICAL not in step.blocked
    judged = {name: is_current(step.history, f"quarantine.{name}") for name in step.study.clinical}
    staged = all(is_current(step.history, table) for table in STAGED)

    def looked_at(query: Mapping[str, Any]) -> bool:
        if query["rule"] in OF_STAGED or not query["source"]:
            return open_half and staged
        return open_half and judged.get(query["source"], True)

    return looked_at


def _accepted(step: Step) -> Callable[[Mapping[str, Any], str], str | None]:
    said: dict[tuple[str, str], str] = {}
    for decision in step.history.decisions_on(QUERIES):
        said[decision["query"], decision["asked"]] = _words(decision)
    absent: dict[tuple[str, str, str | None], str] = {}
    for source in step.study.clinical:
        for decision in step.history.decisions_on(source):
            absent[source, decision["subject"], decision.get("visit")] = _words(decision)

    def accepted(query: Mapping[str, Any], kept: str) -> str | None:
        if query["rule"] == LOST:
            places = ((query["source"], query["subject"], visit) for visit in (query["event"], None))
            return next((absent[place] for place in places if place in absent), None)
        about = decision_on(query, kept)
        return said.get((about["query"], about["asked"]))

    return accepted


def _words(decision: Mapping[str, Any]) -> str:
    return f"accepted by {decision['actor']}: {decision['reason']}"
