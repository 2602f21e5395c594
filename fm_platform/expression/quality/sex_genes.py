"""Whether a sample's reads are of the sex that is recorded for its subject: the plainest sign of swapped samples.

Belongs here: the marker genes, the rule, and the table. Does not belong here: where sexes are recorded.

Markers: Staedtler et al. 2013 (doi:10.3109/1354750X.2013.811538): XIST, which is read where an X chromosome is
inactivated, and four genes of the Y chromosome. The rule is this module's own. A sex is expressed when its markers have
at least 1 count per million reads and ten times those of the other; everything between is left open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fm_platform.expression.counts import NOT_COUNTED, counts_array

FEMALE_MARKERS = {"XIST": "ENSG00000229807"}
MALE_MARKERS = {
    "DDX3Y": "ENSG00000067048",
    "EIF1AY": "ENSG00000198692",
    "KDM5D": "ENSG00000012817",
    "RPS4Y1": "ENSG00000129824",
}
"""Symbol to Ensembl gene."""
LEAST_PER_MILLION = 1.0
LEAST_RATIO = 10.0

_WORDS = {
    "female": "female", "f": "female", "woman": "female", "w": "female",
    "male": "male", "m": "male", "man": "male",
}  # fmt: skip
SEX_GENES_SCHEMA: dict[str, Any] = {
    "sample_id": pl.String,
    "subject_id": pl.String,
    "female_per_million": pl.Float64,
    "male_per_million": pl.Float64,
    "markers": pl.List(pl.String),
    "expressed_sex": pl.String,
    "recorded_sex": pl.String,
    "agrees": pl.Boolean,
    "note": pl.String,
}
"""The columns of ``expression.sex_genes``; its key is sample_id."""


def sex_of(text: str | None) -> str | None:
    """``female`` or ``male`` for the usual words and letters; None for anything else."""
    return None if text is None else _WORDS.get(text.strip().lower())


def sex_gene_table(
    counts: pl.DataFrame, genes: pl.DataFrame, samples: pl.DataFrame, recorded: Mapping[str, str | None]
) -> pl.DataFrame:
    """The sex that each sample shows, beside the recorded one. Every sample with a place in the matrix.

    Args:
        counts: ``expression.counts``.
        genes: ``expression.genes``, for the symbols of gene ids.
        samples: ``expression.samples``.
        recorded: Sample to its subject's sex as somebody recorded it.

    Returns:
        The columns of ``SEX_GENES_SCHEMA``.
    """
    ids, matrix = counts_array(counts)
    symbols = dict(zip(genes["gene_id"], genes["symbol"], strict=True))
    at = {name: _rows(ids, symbols, markers) for name, markers in _SEXES.items()}
    placed = samples.filter(pl.col("position").is_not_null()).sort("position")
    rows = []
    for sample in placed.iter_rows(named=True):
        own = matrix[:, sample["position"] - 1]
        rows.append(_row(sample, np.where(own == NOT_COUNTED, 0, own), at, recorded))
    return pl.DataFrame(rows, schema=SEX_GENES_SCHEMA)


_SEXES = {"female": FEMALE_MARKERS, "male": MALE_MARKERS}


def _rows(
    ids: tuple[str, ...], symbols: Mapping[str, str | None], markers: Mapping[str, str]
) -> dict[str, list[int]]:
    """Marker to its rows of the matrix: by symbol, or by Ensembl id with or without version."""
    found: dict[str, list[int]] = {}
    by_id = {ensembl: symbol for symbol, ensembl in markers.items()}
    for row, gene in enumerate(ids):
        name = by_id.get(gene.split(".")[0])
        name = name or next((text for text in (symbols.get(gene), gene) if text in markers), None)
        if name is not None:
            found.setdefault(name, []).append(row)
    return found


def _row(
    sample: Mapping[str, Any],
    counts: NDArray[np.int64],
    at: Mapping[str, Mapping[str, list[int]]],
    recorded: Mapping[str, str | None],
) -> dict[str, Any]:
    reads = int(counts.sum())
    per_million = {
        sex: 1e6 * int(counts[[row for rows in found.values() for row in rows]].sum()) / reads
        if found and reads
        else None
        for sex, found in at.items()
    }
    female, male = per_million["female"], per_million["male"]
    expressed, note = _expressed(female, male)
    said = recorded.get(sample["sample_id"])
    own = sex_of(said)
    if own is None:
        note = "; ".join(
            [*([note] if note else []), "no sex recorded" if said is None else f"recorded as {said!r}"]
        )
    return {
        "sample_id": sample["sample_id"],
        "subject_id": sample["subject_id"],
        "female_per_million": female,
        "male_per_million": male,
        "markers": sorted(marker for found in at.values() for marker in found),
        "expressed_sex": expressed,
        "recorded_sex": own,
        "agrees": None if expressed is None or own is None else expressed == own,
        "note": note,
    }


def _expressed(female: float | None, male: float | None) -> tuple[str | None, str | None]:
    """The sex whose markers are read, or None with the reason."""
    if female is None or male is None:
        return None, "the matrix lacks marker genes"
    larger, smaller = max(female, male), min(female, male)
    if larger < LEAST_PER_MILLION:
        return None, "no marker gene is expressed"
    if larger < LEAST_RATIO * smaller:
        return None, "markers of both are expressed"
    return ("female" if female > male else "male"), None
