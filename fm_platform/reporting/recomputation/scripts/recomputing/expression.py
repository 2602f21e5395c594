"""Differential expression by PyDESeq2: the genes of the report, and how many are called, tested or lack a value.

Belongs here: ``report.top_genes``, ``expression.contrasts`` and ``page.gaps``, and how near another engine has to come.
Does not belong here: the clinical half.

PyDESeq2 differs from DESeq2, above all in the dispersion prior of designs with few residual degrees of freedom: what it
gives is near the published numbers and not equal to them. recompute.R asks DESeq2 itself. The numbers of a leading gene
are compared with those that PyDESeq2 has for this gene, whatever its rank there.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from recomputing.reading import Folder, Found, Row, distinct, put

TABLES = ("report.top_genes", "expression.contrasts", "page.gaps")
LIKELIHOOD_RATIO = "PyDESeq2 has no likelihood-ratio test: see recompute.R"
LENGTHS = "PyDESeq2 takes no transcript lengths: see recompute.R"
SHOWN = 20
FACTORS = {
    "log2_fold_change": 0.03,
    "lfc_se": 0.35,
    "n_significant": 0.25,
    "n_up": 0.25,
    "n_down": 0.25,
    "n_stable": 0.35,
}
"""Relative differences of another engine that are none to worry about."""
POWERS = {"pvalue": 0.35, "padj": 0.35}
"""Likewise, of the logarithm of a p-value."""


@dataclass(frozen=True)
class Tested:
    """Every gene of a contrast; NaN where there is no number."""

    genes: np.ndarray
    base_mean: np.ndarray
    fold: np.ndarray
    error: np.ndarray
    p: np.ndarray
    adjusted: np.ndarray
    silent: np.ndarray


@dataclass(frozen=True)
class Compared:
    """A contrast's samples and design."""

    row: Row
    samples: list[str]
    counts: np.ndarray
    factors: np.ndarray | None
    design: Any
    weights: np.ndarray
    compared: np.ndarray
    control: np.ndarray | None
    reason: str | None = None


def recompute_expression(
    folder: Folder, found: Found, published: list[Row], *, refits: bool, de: bool
) -> dict[str, str]:
    """Add the numbers of every contrast; returns ids and tables that were skipped, each with the reason."""
    if not de:
        return dict.fromkeys(TABLES, "differential expression was left out (--without-de)")
    try:
        import pydeseq2  # noqa: F401
    except ImportError:
        return dict.fromkeys(TABLES, "PyDESeq2 is not installed")
    skipped: dict[str, str] = {}
    matrix = folder.rows("counts")
    genes = np.array([row["gene_id"] for row in matrix])
    for row in folder.rows("contrasts"):
        mine = [
            entry["id"]
            for entry in published
            if f"contrast={row['contrast']}" in (entry["key"] or "").split(";")
        ]
        why = LIKELIHOOD_RATIO if row["reduced_formula"] else LENGTHS if folder.rows("lengths") else None
        if why:
            skipped |= {name: why for name in mine if not name.endswith((".n_samples", ".residual_df"))}
        led = _leading(published, row["contrast"])
        _contrast(folder, found, row, genes, matrix, led, refits=refits, test=why is None)
        if not refits:
            left_out = [name for name in mine if name.endswith((".n_refits", ".n_stable"))]
            skipped |= dict.fromkeys(left_out, "refits were left out (--without-refits)")
    return skipped


def _contrast(
    folder: Folder,
    found: Found,
    row: Row,
    genes: np.ndarray,
    matrix: list[Row],
    led: dict[str, str],
    *,
    refits: bool,
    test: bool,
) -> None:
    sheet = folder.rows(f"samples_{row['contrast']}")
    whole = compared(folder, row, sheet, matrix)
    key = {"contrast": row["contrast"]}
    numbers: dict[str, Any] = {
        "n_samples": len(sheet),
        "n_level": None,
        "n_reference": None,
        "residual_df": len(sheet) - whole.design.shape[1],
        **dict.fromkeys("n_genes n_tested n_significant n_up n_down n_refits n_stable".split()),
    }
    if row["variable"] is not None:
        groups = [entry[row["variable"]] for entry in sheet]
        numbers |= {"n_level": groups.count(row["level"]), "n_reference": groups.count(row["reference"])}
    if row["status"] == "descriptive":
        numbers |= {
            "n_genes": len(genes),
            **dict.fromkeys(("n_tested", "n_significant", "n_up", "n_down"), 0),
        }
        _untested(found, row, whole.counts.sum(axis=1))
    elif test:
        result, alpha = tested(whole, genes), float(row["alpha"])
        called = result.adjusted < alpha
        numbers |= {
            "n_genes": len(genes),
            "n_tested": int(np.isfinite(result.p).sum()),
            "n_significant": int(called.sum()),
            "n_up": int((called & (result.fold > 0)).sum()),
            "n_down": int((called & (result.fold < 0)).sum()),
        }
        _top(found, row, result, len(sheet), led)
        _gaps(found, row, result)
        if refits and row["refits"] == "true" and called.any():
            numbers |= _refitted(folder, row, sheet, matrix, genes, result, called)
    put(found, "expression.contrasts", key, numbers)


def near(column: str, published: str, value: Any) -> bool:
    """Whether PyDESeq2's number is near enough to a published one."""
    if column == "gene_id":
        return value == "another gene leads"
    if not published or not isinstance(value, int | float):
        return False
    stated, found = float(published), float(value)
    if column in POWERS:
        logs = [np.log10(max(p, 1e-300)) for p in (stated, found)]
        return bool(abs(logs[0] - logs[1]) <= POWERS[column] * abs(logs[0]) + 0.3)
    least = 2 if column.startswith("n_") else 0.02
    return (
        abs(stated - found) <= max(least, FACTORS.get(column, 0.0) * abs(stated))
        if column in FACTORS
        else False
    )


def _top(found: Found, row: Row, result: Tested, n_samples: int, led: dict[str, str]) -> None:
    """The numbers of the published leading genes (rank to gene); a gene far from the first in this engine has none."""
    known = np.flatnonzero(np.isfinite(result.p))
    ordered = sorted(known, key=lambda place: (result.p[place], result.genes[place]))
    ranked = {str(result.genes[place]): rank for rank, place in enumerate(ordered, start=1)}
    places = {str(gene): place for place, gene in enumerate(result.genes)}
    for rank, gene in led.items():
        own = ranked.get(gene)
        if own is None or own > 5 * SHOWN:
            continue
        place = places[gene]
        numbers = {
            "gene_id": gene if own == int(rank) else "another gene leads",
            "base_mean": float(result.base_mean[place]),
            "log2_fold_change": float(result.fold[place]),
            "lfc_se": float(result.error[place]),
            "pvalue": float(result.p[place]),
            "padj": float(result.adjusted[place]) if np.isfinite(result.adjusted[place]) else None,
            "n_samples": n_samples,
        }
        put(found, "report.top_genes", {"contrast": row["contrast"], "rank": rank}, numbers)


def _leading(published: list[Row], contrast: str) -> dict[str, str]:
    """Rank to gene as published."""
    wanted = [row for row in published if row["table"] == "report.top_genes" and row["column"] == "gene_id"]
    keys = [(dict(part.split("=", 1) for part in row["key"].split(";")), row["printed"]) for row in wanted]
    return {key["rank"]: gene for key, gene in keys if key["contrast"] == contrast}


def _gaps(found: Found, row: Row, result: Tested) -> None:
    """Why genes lack a p-value or an adjusted one."""
    tested_, adjusted = np.isfinite(result.p), np.isfinite(result.adjusted)
    uncounted = np.isnan(result.base_mean)
    without = {
        "not_counted": uncounted,
        "all_zero": result.base_mean == 0,
        "cooks_outlier": ~tested_ & ~uncounted & (result.base_mean > 0),
        "contrast_all_zero": result.silent & tested_,
        "low_mean_filtered": tested_ & ~adjusted & ~result.silent,
    }
    for reason, genes in without.items():
        if genes.any():
            key = {"contrast": row["contrast"], "na_reason": reason}
            put(found, "page.gaps", key, {"genes": int(genes.sum())})


def _untested(found: Found, row: Row, totals: np.ndarray) -> None:
    """Gaps of one sample against one: nothing is tested."""
    gaps = {"not_counted": np.isnan(totals), "all_zero": totals == 0, "unreplicated": totals > 0}
    for reason, genes in gaps.items():
        if genes.any():
            key = {"contrast": row["contrast"], "na_reason": reason}
            put(found, "page.gaps", key, {"genes": int(genes.sum())})


def _refitted(
    folder: Folder,
    row: Row,
    sheet: list[Row],
    matrix: list[Row],
    genes: np.ndarray,
    result: Tested,
    called: np.ndarray,
) -> dict[str, Any]:
    """Called genes that stay called, with the same sign, in every fit without one sample."""
    stable, n_refits = called.copy(), 0
    for place in range(len(sheet)):
        rest = sheet[:place] + sheet[place + 1 :]
        left = compared(folder, row, rest, matrix)
        if left.reason is not None:
            continue
        again = tested(left, genes)
        n_refits += 1
        stable &= (again.adjusted < float(row["alpha"])) & (np.sign(again.fold) == np.sign(result.fold))
    return {"n_refits": n_refits, "n_stable": int(stable.sum())} if n_refits else {}


def compared(folder: Folder, row: Row, sheet: list[Row], matrix: list[Row]) -> Compared:
    """A contrast for some of its samples; with a reason where they do not allow it."""
    import pandas as pd
    from formulaic import model_matrix

    described = [entry for entry in folder.rows("design_variables") if entry["contrast"] == row["contrast"]]
    columns: dict[str, Any] = {}
    for name in distinct(entry["variable"] for entry in described):
        texts = [entry[name] for entry in sheet]
        own = [entry for entry in described if entry["variable"] == name]
        if own[0]["kind"] == "number":
            columns[name] = [float(text) for text in texts]
        else:
            columns[name] = pd.Categorical(
                texts, [entry["level"] for entry in own if entry["level"] in texts]
            )
    samples = [entry["sample"] for entry in sheet]
    design = model_matrix(row["formula"], pd.DataFrame(columns, index=samples)).astype(float)
    design = pd.DataFrame(np.asarray(design), index=samples, columns=[str(name) for name in design.columns])
    weights, at_groups, reason = _weights(folder, row, sheet, columns, design)
    if reason is None and np.linalg.matrix_rank(design.to_numpy()) < design.shape[1]:
        reason = "the design is not of full rank"
    if reason is None and design.shape[0] <= design.shape[1]:
        reason = "no residual degree of freedom"
    counts = np.array(
        [[np.nan if entry[name] is None else float(entry[name]) for name in samples] for entry in matrix]
    )
    factors = (
        np.array([float(entry["size_factor"]) for entry in sheet])
        if row["size_factors"] == "column"
        else None
    )
    chosen = {entry["gene_id"] for entry in folder.rows("control_genes")}
    control = np.array([entry["gene_id"] in chosen for entry in matrix]) if chosen else None
    return Compared(row, samples, counts, factors, design, weights, at_groups, control, reason)


def _weights(
    folder: Folder, row: Row, sheet: list[Row], columns: dict[str, Any], design: Any
) -> tuple[np.ndarray, np.ndarray, str | None]:
    """The weight of each design column, the samples without whose reads a gene says nothing, and why there are none."""
    import pandas as pd
    from formulaic import model_matrix

    if row["variable"] is None:
        given = {
            entry["column"]: float(entry["weight"])
            for entry in folder.rows("contrast_weights")
            if entry["contrast"] == row["contrast"]
        }
        if not set(given) <= set(design.columns):
            return np.zeros(0), np.zeros(0, dtype=bool), "a weighed column is gone"
        weights = np.array([given.get(name, 0.0) for name in design.columns])
        one_sign = (weights >= 0).all() or (weights <= 0).all()
        touched = design.to_numpy() @ (weights != 0) != 0
        return weights, np.zeros(len(sheet), dtype=bool) if one_sign else touched, None
    groups = np.array([entry[row["variable"]] for entry in sheet])
    if not {row["level"], row["reference"]} <= set(groups):
        return np.zeros(0), np.zeros(0, dtype=bool), "a level is gone"
    ends = []
    for level in (row["level"], row["reference"]):
        there = {
            name: pd.Categorical(
                [level if name == row["variable"] else values.categories[0]], values.categories
            )
            if isinstance(values, pd.Categorical)
            else [0.0]
            for name, values in columns.items()
        }
        ends.append(np.asarray(model_matrix(row["formula"], pd.DataFrame(there)), dtype=float)[0])
    return ends[0] - ends[1], np.isin(groups, [row["level"], row["reference"]]), None


def tested(data: Compared, genes: np.ndarray) -> Tested:
    """Fit and test with PyDESeq2's own steps."""
    import pandas as pd
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.default_inference import DefaultInference
    from pydeseq2.ds import DeseqStats

    counted = ~np.isnan(data.counts).any(axis=1)
    chosen = data.counts[counted].astype(int)
    names = [str(place) for place in np.flatnonzero(counted)]
    with _quiet():
        fitted = DeseqDataSet(
            counts=pd.DataFrame(chosen.T, index=data.samples, columns=names),
            metadata=pd.DataFrame(index=data.samples),
            design=data.design,
            refit_cooks=True,
            inference=DefaultInference(n_cpus=1),
            quiet=True,
            size_factors_fit_type="poscounts" if data.row["size_factors"] == "poscounts" else "ratio",
            control_genes=None if data.control is None else data.control[counted],
        )
        fitted.deseq2()
        statistics = DeseqStats(
            fitted,
            contrast=data.weights,
            alpha=float(data.row["alpha"]),
            inference=fitted.inference,
            lfc_null=float(data.row["lfc_threshold"]),
            alt_hypothesis=data.row["alternative"] if float(data.row["lfc_threshold"]) else None,
            quiet=True,
        )
        statistics.run_wald_test()
        silent = (chosen[:, data.compared] == 0).all(axis=1) & (chosen > 0).any(axis=1) & data.compared.any()
        statistics.p_values[silent] = 1.0
        statistics.summary()
    frame = statistics.results_df

    def everywhere(name: str) -> np.ndarray:
        values = np.full(len(genes), np.nan)
        values[counted] = frame[name].to_numpy(float)
        return values

    fold = everywhere("log2FoldChange")
    said = np.zeros(len(genes), dtype=bool)
    said[counted] = silent
    fold[said] = 0.0
    return Tested(
        genes,
        everywhere("baseMean"),
        fold,
        everywhere("lfcSE"),
        everywhere("pvalue"),
        everywhere("padj"),
        said,
    )


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep the library off the terminal."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
