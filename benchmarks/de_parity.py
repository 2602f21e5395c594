"""How closely the engine agrees with R's DESeq2 1.38.3: `python benchmarks/de_parity.py`.

Prints one table against frozen R results, one with intermediate stages where R's were kept, and one for the small
synthetic sets with apeGLM. docs/de-parity.md keeps a copy. `exact` mode has its own: `de_exact.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from de_sets import DeSet, arguments, column, frozen, load_sets, load_synthetic

from fm_platform.expression.fit.compare import Compared, Hypothesis, compare
from fm_platform.expression.fit.model import Model, fit_model

GOALS = {"dp": 1e-5, "jaccard": 0.995, "na": 0.001}


def main() -> None:
    options = arguments(__doc__).parse_args()
    sets = load_sets(options.shared, options.sets)
    fits = [(a_set, *_run(a_set)) for a_set in sets]
    print(
        "| set | size factors | dispersions p99 | LFC p99 | p p99 | p max | padj p99 | Jaccard 0.05 | p NA differ |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for a_set, model, tested in fits:
        print(_row(a_set, model, tested))
    print("\n| set | base mean | gene-wise p99 | trend p99 | final p99 | gene-wise beyond 1e-6 |")
    print("|---|---|---|---|---|---|")
    for a_set, model, _ in fits:
        stages = a_set.stages()
        if stages is not None:
            print(_stages_row(a_set.name, model, stages))
    print("\n| synthetic set | dispersions | LFC | p | apeGLM LFC, relative | apeGLM SE, relative |")
    print("|---|---|---|---|---|---|")
    for line in _synthetic(options.shared):
        print(line)


def _run(a_set: DeSet) -> tuple[Model, Compared]:
    model = fit_model(a_set.counts, a_set.design)
    silent = np.zeros(len(a_set.counts), dtype=bool)
    if (a_set.vector < 0).any():
        compared = (a_set.design[:, a_set.vector != 0] != 0).any(axis=1)
        silent = (a_set.counts[:, compared] == 0).all(axis=1) & a_set.counts.any(axis=1)
    return model, compare(model, a_set.counts, a_set.vector, silent, Hypothesis(), alpha=0.1)


def _row(a_set: DeSet, model: Model, tested: Compared) -> str:
    r = a_set.results()
    r_p, r_padj, r_lfc = column(r, "pvalue"), column(r, "padj"), column(r, "log2FoldChange")
    r_se = column(r, "lfcSE")
    both = np.isfinite(tested.p) & np.isfinite(r_p)
    differences = np.abs(tested.p - r_p)[both]
    called, called_r = tested.padj < 0.05, r_padj < 0.05
    jaccard = (called & called_r).sum() / (called | called_r).sum()
    masks = int((np.isnan(tested.p) != np.isnan(r_p)).sum())
    stages = a_set.stages()
    dispersions = (
        _p99(np.abs(model.dispersion / column(stages, "dispersion") - 1))
        if stages is not None
        else f"(SE) {_p99(np.abs(tested.se / r_se - 1))}"
    )
    factors = np.abs(model.size_factors / a_set.size_factors() - 1).max()
    good = np.quantile(differences, 0.99) <= GOALS["dp"] and jaccard >= GOALS["jaccard"]
    good = good and masks <= GOALS["na"] * len(r_p)
    return (
        f"| {a_set.name}{'' if good else ' (missed)'} | {factors:.0e} | {dispersions} "
        f"| {_p99(np.abs(tested.estimate - r_lfc))} | {_p99(differences)} | {differences.max():.1e} "
        f"| {_p99(np.abs(tested.padj - r_padj))} | {jaccard:.5f} ({called.sum()} / {called_r.sum()}) | {masks} |"
    )


def _stages_row(name: str, model: Model, stages: pl.DataFrame) -> str:
    pairs = [
        (model.base_mean, "baseMean"),
        (model.gene_wise, "dispGeneEst"),
        (model.trend_values, "dispFit"),
        (model.dispersion, "dispersion"),
    ]
    with np.errstate(invalid="ignore"):
        shown = [_p99(np.abs(ours / column(stages, theirs) - 1)) for ours, theirs in pairs]
        beyond = int((np.abs(model.gene_wise / column(stages, "dispGeneEst") - 1) > 1e-6).sum())
    return f"| {name} | {' | '.join(shown)} | {beyond} |"


def _synthetic(shared: Path) -> list[str]:
    rows = []
    for a_set in load_synthetic(shared):
        model = fit_model(a_set.counts, a_set.design)
        silent = np.zeros(len(a_set.counts), dtype=bool)
        tested = compare(model, a_set.counts, a_set.vector, silent, Hypothesis(), alpha=0.05, shrink=True)
        r = frozen(a_set.oracle / "r_test_res.csv")
        dispersions = frozen(a_set.oracle / "r_test_dispersions.csv")[:, -1].to_numpy().astype(float)
        cells = [
            f"{np.nanmax(np.abs(model.dispersion / dispersions - 1)):.0e}",
            f"{np.nanmax(np.abs(tested.estimate - column(r, 'log2FoldChange'))):.0e}",
            f"{np.nanmax(np.abs(tested.p - column(r, 'pvalue'))):.0e}",
        ]
        shrunken = a_set.oracle / "r_test_lfc_shrink_res.csv"
        if shrunken.exists():
            assert tested.shrunk is not None
            assert tested.shrunk_se is not None
            s = frozen(shrunken)
            cells.append(f"{np.abs(tested.shrunk / column(s, 'log2FoldChange') - 1).max():.1e}")
            cells.append(f"{np.abs(tested.shrunk_se / column(s, 'lfcSE') - 1).max():.1e}")
        else:
            cells += ["-", "-"]
        rows.append(f"| {a_set.name} | {' | '.join(cells)} |")
    return rows


def _p99(values: np.ndarray) -> str:
    return f"{np.nanquantile(values, 0.99):.1e}"


if __name__ == "__main__":
    main()
