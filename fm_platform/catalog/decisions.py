"""Decisions that people take on a study's data, as ledger records.

Belongs here: ``fm accept``. Does not belong here: what a decision changes (the gate reads it from the ledger).
"""

from __future__ import annotations

import uuid
from typing import Any

import polars as pl

from fm_platform.catalog.clinical.queries import QUERIES
from fm_platform.catalog.graph import Catalog
from fm_platform.catalog.session import Actor, open_session
from fm_platform.errors import InputError
from fm_platform.validation.query_history import OPEN
from fm_platform.warehouse.home import Home

ACCEPTED_RULE = "FM021"


def accept(
    catalog: Catalog, home: Home, rule: str, source: str, subject: str, visit: str | None, reason: str
) -> dict[str, Any]:
    """Record that the absence of a subject, or of one visit, is right.

    Args:
        catalog: The study's assets.
        home: Its home.
        rule: FM021, the one rule whose findings can be accepted.
        source: The clinical source.
        subject: The subject.
        visit: The visit; None accepts the subject with all visits.
        reason: Why, for the ledger.

    Returns:
        The body of the ledger record.

    Raises:
        InputError: Another rule, no reason, or nothing of that name is missing.
    """
    if rule != ACCEPTED_RULE:
        raise InputError(
            f"findings of {rule} cannot be accepted",
            mend="correct the data; only FM021 (a lost row) is a decision",
        )
    if not reason.strip():
        raise InputError("a decision needs a reason", mend="add --reason TEXT")
    if source not in catalog.study.clinical:
        raise InputError(f"no source {source!r}", mend=f"use one of: {', '.join(catalog.study.clinical)}")
    with open_session(catalog, home, str(uuid.uuid4()), actor=Actor.from_environment(reason)) as session:
        if session.warehouse.exists(QUERIES):
            lost = session.warehouse.read(QUERIES).filter(
                (pl.col("rule") == ACCEPTED_RULE) & (pl.col("source") == source) & pl.col("state").is_in(OPEN)
            )
        else:
            lost = pl.DataFrame(schema={"subject": pl.String, "event": pl.String})
        asked = lost.filter(pl.col("subject") == subject)
        if visit is not None:
            asked = asked.filter(pl.col("event").is_null() | (pl.col("event") == visit))
        if asked.is_empty():
            names = sorted({f"{row['subject']} {row['event'] or ''}".strip() for row in lost.to_dicts()})
            raise InputError(
                f"{subject}{f' at {visit}' if visit else ''} is not missing from {source}",
                mend=f"missing are: {', '.join(names[:10]) or 'none; run `fm refresh` first'}",
            )
        body = {
            "rule": rule,
            "source": source,
            "subject": subject,
            "visit": visit,
            "reason": reason.strip(),
            "actor": session.actor.name,
        }
        with session.warehouse.transaction():
            session.warehouse.append("decision", body)
        return body
