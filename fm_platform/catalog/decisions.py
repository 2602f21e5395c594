"""Decisions that people take on a study's data, as ledger records.

Belongs here: ``fm accept``. Does not belong here: what a decision changes (gates and data queries read it from the
ledger).
"""

from __future__ import annotations

import uuid
from typing import Any

import polars as pl

from fm_platform.catalog.clinical.query_present import QUERIES, decision_on
from fm_platform.catalog.clinical.shrinking import NUMBERS, decision_on_numbers
from fm_platform.catalog.graph import Catalog
from fm_platform.catalog.session import Actor, Session, open_session
from fm_platform.errors import InputError
from fm_platform.statistics.change import SYMPTOM_CHANGE
from fm_platform.validation.query_cells import LOST
from fm_platform.validation.query_history import ASKED, HISTORY_SCHEMA, OPEN
from fm_platform.warehouse.home import Home


def accept(
    catalog: Catalog, home: Home, rule: str, source: str, subject: str, visit: str | None, reason: str
) -> dict[str, Any]:
    """Record that the absence of a subject, or of one visit, is right.

    Args:
        catalog: The study's assets.
        home: Its home.
        rule: FM021, the one rule whose findings can be named by subject.
        source: The clinical source.
        subject: The subject.
        visit: The visit; None accepts the subject with all visits.
        reason: Why, for the ledger.

    Returns:
        The body of the ledger record.

    Raises:
        InputError: Another rule, no reason, or nothing of that name is missing.
    """
    if rule != LOST:
        raise InputError(
            f"a finding of {rule} is accepted by its id",
            mend="take the id from `fm queries`: fm accept --query ID --reason TEXT",
        )
    _require_reason(reason)
    if source not in catalog.study.clinical:
        raise InputError(f"no source {source!r}", mend=f"use one of: {', '.join(catalog.study.clinical)}")
    with open_session(catalog, home, str(uuid.uuid4()), actor=Actor.from_environment(reason)) as session:
        lost = _open_queries(session).filter((pl.col("rule") == LOST) & (pl.col("source") == source))
        asked = lost.filter(pl.col("subject") == subject)
        if visit is not None:
            asked = asked.filter(pl.col("event").is_null() | (pl.col("event") == visit))
        if asked.is_empty():
            names = sorted({f"{row['subject']} {row['event'] or ''}".strip() for row in lost.to_dicts()})
            raise InputError(
                f"{subject}{f' at {visit}' if visit else ''} is not missing from {source}",
                mend=f"missing are: {', '.join(names[:10]) or 'none; run `fm refresh` first'}",
            )
        return _record(session, {"rule": rule, "source": source, "subject": subject, "visit": visit}, reason)


def accept_query(catalog: Catalog, home: Home, query: str, reason: str) -> dict[str, Any]:
    """Record that what an open data query asks about is right as it was delivered.

    The query is asked again when one of its cells changes and the rule still finds it.

    Args:
        catalog: The study's assets.
        home: Its home.
        query: The query's id.
        reason: Why, for the ledger.

    Returns:
        The body of the ledger record.

    Raises:
        InputError: No reason, or no open query has the id.
    """
    _require_reason(reason)
    with open_session(catalog, home, str(uuid.uuid4()), actor=Actor.from_environment(reason)) as session:
        found = _open_queries(session).filter(pl.col("query_id") == query).to_dicts()
        if not found:
            raise InputError(f"no open data query has the id {query!r}", mend="`fm queries` lists them")
        (row,) = found
        about = {"subject": row["subject"], "visit": row["event"]}
        if row["rule"] == LOST:
            return _record(session, {"rule": LOST, "source": row["source"], **about}, reason)
        decided = decision_on(row, row[ASKED] or "")
        return _record(session, {"rule": row["rule"], "source": QUERIES, **about, **decided}, reason)


def accept_numbers(catalog: Catalog, home: Home, reason: str) -> dict[str, Any]:
    """Record that outcomes are analysed in as few subjects as the last refresh found.

    Args:
        catalog: The study's assets.
        home: Its home.
        reason: Why, for the ledger.

    Returns:
        The body of the ledger record.

    Raises:
        InputError: No reason, or the last refresh did not stop at numbers.
    """
    _require_reason(reason)
    with open_session(catalog, home, str(uuid.uuid4()), actor=Actor.from_environment(reason)) as session:
        about = {"rule": NUMBERS, "source": SYMPTOM_CHANGE.name, "subject": None, "visit": None}
        return _record(session, {**about, **decision_on_numbers(session.history)}, reason)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise InputError("a decision needs a reason", mend="add --reason TEXT")


def _open_queries(session: Session) -> pl.DataFrame:
    if not session.warehouse.exists(QUERIES):
        return pl.DataFrame(schema=HISTORY_SCHEMA)
    return session.warehouse.read(QUERIES).filter(pl.col("state").is_in(OPEN))


def _record(session: Session, about: dict[str, Any], reason: str) -> dict[str, Any]:
    body = {**about, "reason": reason.strip(), "actor": session.actor.name}
    with session.warehouse.transaction():
        session.warehouse.append("decision", body)
    return body
