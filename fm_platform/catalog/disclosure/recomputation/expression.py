"""The expression half as CSV: counts, the samples and the design of each contrast, what study.yaml declares.

Belongs here: the frames of ``inputs/`` for differential expression. Does not belong here: the clinical half, fitting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from fm_platform.catalog.disclosure.recomputation.naming import Naming
from fm_platform.catalog.graph import Catalog
from fm_platform.expression.counts import counts_array
from fm_platform.expression.designs.choice import coded_against, levels_seen
from fm_platform.expression.designs.contrasts import ContrastPlan, plan_contrasts
from fm_platform.expression.designs.formula import Formula, parse_formula
from fm_platform.expression.designs.sizing import control_genes
from fm_platform.expression.designs.variables import column_of, read_variables
from fm_platform.study.expression import ExpressionSource
from fm_platform.warehouse.names import relation
from fm_platform.warehouse.reader import Published

_CONTRAST = {
    "contrast": pl.String,
    "design": pl.String,
    "formula": pl.String,
    "reduced_formula": pl.String,
    "variable": pl.String,
    "level": pl.String,
    "reference": pl.String,
    "alpha": pl.Float64,
    "lfc_threshold": pl.Float64,
    "alternative": pl.String,
    "size_factors": pl.String,
    "status": pl.String,
    "refits": pl.Boolean,
}


def expression_inputs(
    catalog: Catalog, published: Published, there: set[str], names: Naming, only: Sequence[str] | None = None
) -> dict[str, pl.DataFrame]:
    """The input frames of the expression half, by name; subjects and samples as the folder names them.

    Args:
        catalog: The study's catalog.
        published: The open publication.
        there: Its tables.
        names: How subjects and samples are called.
        only: Ids of contrasts; None: all.
    """
    if "expression.contrasts" not in there or catalog.study.expression is None:
        return {}
    samples, told = (_table(published, table) for table in ("expression.samples", "expression.contrasts"))
    plans = [
        plan
        for plan in plan_contrasts(samples, catalog.study, seen_levels=levels_seen(told))
        if plan.design is not None and (only is None or plan.contrast.id in only)
    ]
    refitted = dict(told.select("contrast", "n_refits").iter_rows())
    declared = catalog.study.expression
    frames: dict[str, pl.DataFrame] = {
        "contrasts": pl.DataFrame(
            [_contrast(plan, names, declared, refitted.get(plan.contrast.id) is not None) for plan in plans],
            schema=_CONTRAST,
            orient="row",
        ),
        "design_variables": _variables(samples, plans, names),
        "contrast_weights": _weights(plans),
    }
    for plan in plans:
        frames[f"samples_{plan.contrast.id}"] = _sheet(samples, plan, names, declared)
    frames |= _matrices(published, samples, plans, names, declared)
    return {name: frame for name, frame in frames.items() if frame.height}


def _table(published: Published, table: str) -> pl.DataFrame:
    return published.query(f"SELECT * FROM {relation(table, 'warehouse')}")


def _contrast(plan: ContrastPlan, names: Naming, declared: ExpressionSource, refits: bool) -> tuple[Any, ...]:
    contrast = plan.contrast
    formula = parse_formula(contrast.design)
    reduced = None if contrast.reduced is None else _neutral(contrast.reduced, formula)
    pair = contrast.pair
    level, reference = (None, None) if pair is None else _renamed(plan, names, [pair.level, pair.reference])
    kind = "column" if declared.size_factors.column is not None else declared.size_factors.kind
    return (
        contrast.id,
        contrast.design,
        formula.neutral,
        reduced,
        None if pair is None else f"v{formula.variables.index(pair.variable)}",
        level,
        reference,
        contrast.alpha,
        contrast.lfc_threshold,
        contrast.alternative,
        kind,
        plan.status,
        refits,
    )


def _neutral(text: str, full: Formula) -> str:
    """A smaller design with the variables called as in the full one."""
    own = parse_formula(text)
    parts = own.neutral
    for place in reversed(range(len(own.variables))):
        parts = parts.replace(f"v{place}", f"w{full.variables.index(own.variables[place])}")
    return parts.replace("w", "v")


def _renamed(plan: ContrastPlan, names: Naming, texts: list[str]) -> list[str | None]:
    return names.of_texts(texts) if names.hides else list(texts)


def _variables(samples: pl.DataFrame, plans: Sequence[ContrastPlan], names: Naming) -> pl.DataFrame:
    """Each contrast's design variables: what v0, v1, ... are; levels of factors, the one coded against first."""
    rows = []
    for plan in plans:
        contrast = plan.contrast
        kept = _kept(samples, plan)
        read = read_variables(
            kept, contrast.design, reference=coded_against(contrast), covariates=contrast.covariates
        )
        for place, name in enumerate(read.parsed.variables):
            levels = names.of_texts(read.levels[name]) if name in read.levels else [None]
            kind = "factor" if name in read.levels else "number"
            rows += [(contrast.id, f"v{place}", name, kind, level) for level in levels]
    schema = dict.fromkeys(("contrast", "variable", "name", "kind", "level"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def _kept(samples: pl.DataFrame, plan: ContrastPlan) -> pl.DataFrame:
    return samples.filter(pl.col("sample_id").is_in(list(plan.samples))).sort("position")


def _weights(plans: Sequence[ContrastPlan]) -> pl.DataFrame:
    """Weights of design columns, for contrasts that are no comparison of two levels."""
    rows = []
    for plan in plans:
        if plan.contrast.pair is not None or plan.design is None or plan.vector is None:
            continue
        variables = parse_formula(plan.contrast.design).variables
        for column, weight in zip(plan.design.columns, plan.vector, strict=True):
            if weight:
                parts = [_neutral_part(part, variables) for part in column.split(":")]
                rows.append((plan.contrast.id, ":".join(parts), float(weight)))
    schema = {"contrast": pl.String, "column": pl.String, "weight": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _neutral_part(part: str, variables: Sequence[str]) -> str:
    """``group[T.fm]`` as ``v0[T.fm]``."""
    name, bracket, rest = part.partition("[")
    return f"v{variables.index(name)}{bracket}{rest}" if name in variables else part


def _sheet(
    samples: pl.DataFrame, plan: ContrastPlan, names: Naming, declared: ExpressionSource
) -> pl.DataFrame:
    """The samples of a contrast in the order of the matrix, with its variables."""
    kept = _kept(samples, plan)
    columns = {"sample": names.of_texts(kept["sample_id"])}
    for place, name in enumerate(parse_formula(plan.contrast.design).variables):
        columns[f"v{place}"] = names.of_texts(kept[column_of(kept, name)].cast(pl.String))
    if declared.size_factors.column is not None:
        columns["size_factor"] = kept[column_of(kept, declared.size_factors.column)].cast(pl.String).to_list()
    return pl.DataFrame(columns)


def _matrices(
    published: Published,
    samples: pl.DataFrame,
    plans: Sequence[ContrastPlan],
    names: Naming,
    declared: ExpressionSource,
) -> dict[str, pl.DataFrame]:
    """Counts of the samples of any contrast, transcript lengths and control genes where there are some."""
    counts = _table(published, "expression.counts")
    gene_ids, matrix = counts_array(counts)
    used = sorted(
        {(place, name) for plan in plans for place, name in zip(plan.positions, plan.samples, strict=True)}
    )
    shown = names.of_texts(name for _, name in used)
    places = [place - 1 for place, _ in used]
    frames = {"counts": _wide(gene_ids, matrix[:, places], shown)}
    if counts["lengths"].null_count() < counts.height:
        lengths = np.array(counts.sort("gene_id")["lengths"].to_list(), dtype=np.float64)
        frames["lengths"] = _wide(gene_ids, lengths[:, places], shown)
    if declared.size_factors.control_genes:
        chosen = control_genes(declared.size_factors.control_genes, gene_ids)
        frames["control_genes"] = pl.DataFrame({"gene_id": np.array(gene_ids)[chosen].tolist()})
    return frames


def _wide(gene_ids: Sequence[str], values: Any, names: Sequence[str | None]) -> pl.DataFrame:
    frame = pl.DataFrame({"gene_id": gene_ids})
    columns = [
        pl.Series(str(name), values[:, place]).cast(pl.Int64 if values.dtype.kind == "i" else pl.Float64)
        for place, name in enumerate(names)
    ]
    return frame.with_columns(column.set(column < 0, None) for column in columns)
