"""Conclusions that moved: p-values across their threshold, genes in or out of the significant set, responders.

Belongs here: which columns carry a conclusion, and when it moved. Does not belong here: computing any of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from fm_platform.lineage.diff.model import Conclusion
from fm_platform.lineage.diff.rows import Changed
from fm_platform.warehouse.names import identifier, relation

P_THRESHOLD = 0.05
ADJUSTED = ("p_holm", "p_bh", "padj")
RAW_P = ("p_value", "pvalue")
RESULTS, CONTRASTS = "expression.de_results", "expression.contrasts"
_FIRST = ("stats.symptom_change", "stats.between_arms", "stats.responder_status", RESULTS)


@dataclass(frozen=True)
class Moved:
    """One row whose conclusion moved: its number among the changed rows, the column, and what to say."""

    n: int
    column: str
    text: str


def each_once(conclusions: Iterable[Conclusion]) -> list[Conclusion]:
    """Primary results first, and each claim once, under the first table that holds it, with its values there."""
    found: dict[tuple[Any, ...], Conclusion] = {}
    for entry in sorted(conclusions, key=lambda entry: _place(entry.table)):
        first = found.setdefault(_claim(entry), entry)
        if first is not entry:
            reasons = tuple(sorted({*first.reasons, *entry.reasons}))
            found[_claim(entry)] = replace(first, also_in=(*first.also_in, entry.table), reasons=reasons)
    return list(found.values())


def _place(table: str) -> tuple[int, str]:
    return (_FIRST.index(table) if table in _FIRST else len(_FIRST), table)


def _claim(entry: Conclusion) -> tuple[Any, ...]:
    """What a conclusion is about.

    That a gene is significant in a contrast stands in the results, in the contrast's fit and (of significant genes
    alone) in its stability. A statistic is its table's own, whatever the keys of others are.
    """
    about = "gene of a contrast" if entry.table.startswith("expression.") else entry.table
    return (about, *entry.key.items(), entry.text)


def moved(connection: duckdb.DuckDBPyConnection, changed: Changed, both_have_contrasts: bool) -> list[Moved]:
    """The conclusions of one table that moved."""
    schema = changed.table.split(".")[0]
    if schema == "stats":
        found = [
            entry
            for column in ("p_value", "p_holm")
            if column in changed.shared
            for entry in _across(connection, changed, column, str(P_THRESHOLD), str(P_THRESHOLD))
        ]
        return found + (_responders(connection, changed) if "responded" in changed.shared else [])
    if schema == "expression" and both_have_contrasts and {"padj", "contrast"} <= set(changed.shared):
        alphas = [
            f"(SELECT c.alpha FROM {relation(CONTRASTS, side)} AS c "
            "WHERE c.contrast = coalesce(r.old.contrast, r.new.contrast))"
            for side in changed.sides
        ]
        return _across(connection, changed, "padj", *alphas)
    return []


def genes_moved_by_alpha(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, float, str]]:
    """Genes whose adjusted p-value is as before, but whose contrast has another threshold.

    Returns:
        Contrast, gene, adjusted p-value, what to say.
    """
    rows = connection.sql(
        f"SELECT contrast, gene_id, b.padj, b.padj < now.alpha, now.alpha FROM {relation(RESULTS, 'a')} AS a "
        f"JOIN {relation(RESULTS, 'b')} AS b USING (contrast, gene_id) "
        f"JOIN {relation(CONTRASTS, 'a')} AS was USING (contrast) "
        f"JOIN {relation(CONTRASTS, 'b')} AS now USING (contrast) "
        "WHERE a.padj = b.padj AND (a.padj < was.alpha) <> (b.padj < now.alpha) ORDER BY contrast, gene_id"
    ).fetchall()
    return [
        (contrast, gene, padj, f"padj is {'now' if below else 'no longer'} below {alpha:g}")
        for contrast, gene, padj, below, alpha in rows
    ]


def _across(
    connection: duckdb.DuckDBPyConnection, changed: Changed, column: str, before: str, after: str
) -> list[Moved]:
    """Rows whose p-value was below its threshold on one side only; a missing one is not below."""
    name = identifier(column)
    rows = connection.sql(
        f"SELECT n, was, now, threshold FROM (SELECT r.n, coalesce(r.old.{name} < {before}, false) AS was, "
        f"coalesce(r.new.{name} < {after}, false) AS now, {after} AS threshold FROM {changed.rows} AS r) "
        "WHERE was <> now ORDER BY n"
    ).fetchall()
    return [
        Moved(n, column, f"{column} is {'now' if now else 'no longer'} below {threshold:g}")
        if threshold is not None
        else Moved(n, column, f"{column} has no threshold any more")
        for n, _, now, threshold in (
            (n, was, now, float(t) if t is not None else None) for n, was, now, t in rows
        )
    ]


def _responders(connection: duckdb.DuckDBPyConnection, changed: Changed) -> list[Moved]:
    rows = connection.sql(
        f"SELECT n, old.responded, new.responded FROM {changed.rows} "
        "WHERE old.responded IS DISTINCT FROM new.responded ORDER BY n"
    ).fetchall()
    words = {True: "a responder", False: "no responder", None: "not judged"}
    return [Moved(n, "responded", f"{words[old]} before, {words[new]} now") for n, old, new in rows]
