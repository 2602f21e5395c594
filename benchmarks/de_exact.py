"""Whether `exact` mode is at the optimum: `python benchmarks/de_exact.py`.

Every value that `exact` estimates maximises an objective. Here each is compared, on that same objective, with what
R's DESeq2 and stock PyDESeq2 settle for: the adjusted profile likelihood of dispersions, the same with the prior, the
ridge-penalised likelihood of coefficients. The objectives are R's own: fitted means, trend, prior and dispersions are
those of its rules. A figure is the worst case over genes of (theirs - ours) / |ours|: positive where ours is worse,
and 1e-9 is the limit.

R's values are the frozen ones where the test data keep them, else those of a run of Rscript here. PyDESeq2's methods
are called with the same inputs on some genes of each set, evenly spread.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from de_sets import DeSet, arguments, column, frozen, load_sets, load_synthetic

from fm_platform.expression.fit.dispersion import FLOOR_MU, MIN_DISPERSION, Objective, Prior, max_dispersion
from fm_platform.expression.fit.dispersion_search import maximise
from fm_platform.expression.fit.gene_arrays import Floats
from fm_platform.expression.fit.irls import RIDGE, fit_glm, log_likelihood, means
from fm_platform.expression.fit.model import Model, Options, fit_model
from fm_platform.expression.fit.stages import gene_wise, shrunken

LIMIT = 1e-9

R_VALUES = r"""
suppressMessages(library(DESeq2))
a <- commandArgs(TRUE)
design <- as.matrix(read.csv(a[2], header = FALSE))
counts <- as.matrix(read.csv(a[1], header = FALSE))
dds <- DESeqDataSetFromMatrix(counts, data.frame(i = seq_len(ncol(counts))), ~ 1)
dds <- DESeq(dds, full = design, betaPrior = FALSE, quiet = TRUE, minReplicatesForReplace = Inf)
m <- as.data.frame(mcols(dds))
made <- data.frame(m$dispGeneEst, m$dispMAP, m[, match("dispMAP", names(m)) + seq_len(ncol(design))])
write.csv(made, a[3], quote = FALSE)
"""


@dataclass(frozen=True, eq=False)
class Values:
    """What one tool estimates, NaN where it does not.

    Attributes:
        gene_wise: Dispersions.
        shrunken: Dispersions with the prior, before outliers are kept.
        beta: Columns x genes, natural logarithms.
        source: Where the values come from.
    """

    gene_wise: Floats
    shrunken: Floats
    beta: Floats
    source: str


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--stock-genes", type=int, default=500, help="genes a set for PyDESeq2; 0: none")
    options = parser.parse_args()
    sets = load_sets(options.shared, options.sets)
    sets += [] if options.sets else load_synthetic(options.shared)
    objectives = "gene-wise dispersion | shrunken dispersion | coefficients"
    print(f"| set | against | genes | {objectives} | they are worse by more than {LIMIT:.0e} |")
    print("|---|---|---|---|---|---|---|")
    for a_set in sets:
        ours = Exact(a_set)
        print(ours.row(values_of_r(a_set)), flush=True)
        if options.stock_genes:
            print(ours.row(ours.values_of_stock(options.stock_genes)), flush=True)


class Exact:
    """What `exact` finds in a set, given the means, trend, prior and dispersions of R's rules, and its objectives."""

    def __init__(self, a_set: DeSet) -> None:
        self.name = a_set.name
        self.model: Model = fit_model(a_set.counts, a_set.design, Options(replace_outliers=False))
        self.live = np.flatnonzero(np.isfinite(self.model.dispersion))
        self.counts = np.ascontiguousarray(a_set.counts[self.live].T).astype(float)
        self.setting = replace(self.model.setting, exact=True)
        assert self.setting.shared is not None
        self.factors = self.setting.shared
        level = gene_wise(self.counts, None, self.model.setting)["level"]
        normal = self.setting.normal
        self.mu = np.maximum(normal.spread(level) * self.factors, FLOOR_MU)
        self.trend = self.model.trend_values[self.live]
        self.variance = self.model.prior.variance
        self.used = self.model.dispersion[self.live]
        raw = np.exp(maximise(Objective(normal, self.counts, self.mu), max_dispersion(len(self.counts))))
        given = (self.counts, None, level, raw, self.trend, self.setting, self.variance)
        beta = fit_glm(normal, self.counts, self.factors, self.used, exact=True).beta
        self.ours = Values(raw, shrunken(*given)["map"], beta, "exact")

    def row(self, theirs: Values) -> str:
        """Worst excesses and how often theirs is worse."""
        scattered = len(theirs.gene_wise) != len(self.live)
        some = self.live if scattered else slice(None)
        gene_wise_values, shrunken_values = theirs.gene_wise[some], theirs.shrunken[some]
        prior = Prior(np.log(self.trend), self.variance)
        known = np.isfinite(gene_wise_values) & np.isfinite(shrunken_values)
        parts = [
            self._excess(self._dispersion(None), self.ours.gene_wise, gene_wise_values),
            self._excess(self._dispersion(prior), self.ours.shrunken, shrunken_values),
            self._excess(self._regression, self.ours.beta, theirs.beta[:, some]),
        ]
        shown = " | ".join(
            f"{np.nanmax(part):.1e}{'' if np.nanmax(part) <= LIMIT else ' (missed)'}" for part in parts
        )
        lost = [int((part < -LIMIT).sum()) for part in parts]
        return f"| {self.name} | {theirs.source} | {int(known.sum())} | {shown} | {lost[0]}, {lost[1]}, {lost[2]} |"

    def values_of_stock(self, n_genes: int) -> Values:
        """PyDESeq2's, given our means, trend, prior and dispersions."""
        from pydeseq2.default_inference import DefaultInference

        some = np.unique(np.linspace(0, len(self.live) - 1, n_genes).astype(int))
        design, inference = self.setting.normal.design, DefaultInference(n_cpus=1)
        counts, mu = self.counts[:, some].astype(int), self.mu[:, some]
        highest = max_dispersion(len(counts))
        bounds = {"min_disp": MIN_DISPERSION, "max_disp": highest}
        begin = np.clip(self.trend[some], MIN_DISPERSION, highest)
        raw, _ = inference.alpha_mle(counts, design, mu, begin, **bounds)
        with_prior = {"prior_disp_var": self.variance, "cr_reg": True, "prior_reg": True}
        shrunk, _ = inference.alpha_mle(counts, design, mu, self.trend[some], **bounds, **with_prior)
        beta = inference.irls(counts, self.factors[:, 0], design, self.used[some], 0.5, 1e-8)[0].T
        full = [np.full((*values.shape[:-1], len(self.live)), np.nan) for values in (raw, shrunk, beta)]
        for target, values in zip(full, (raw, shrunk, beta), strict=True):
            target[..., some] = values
        return Values(full[0], full[1], full[2], "PyDESeq2")

    def _dispersion(self, prior: Prior | None) -> object:
        objective = Objective(self.setting.normal, self.counts, self.mu, prior)

        def value(dispersion: Floats) -> Floats:
            return objective.value(np.log(dispersion))

        return value

    def _regression(self, beta: Floats) -> Floats:
        mu = means(self.setting.normal, self.factors, beta, floor=0.0)
        return log_likelihood(self.counts, mu, self.used) - 0.5 * RIDGE * (beta * beta).sum(axis=0)

    def _excess(self, objective: object, ours: Floats, theirs: Floats) -> Floats:
        assert callable(objective)
        known = np.isfinite(theirs) if theirs.ndim == 1 else np.isfinite(theirs).all(axis=0)
        best, other = objective(ours), objective(np.where(known, theirs, ours))
        return np.where(known, (other - best) / np.abs(best), np.nan)


def values_of_r(a_set: DeSet) -> Values:
    """R's own values: frozen with the test data, or from a run here."""
    n_columns = a_set.design.shape[1]
    stages = a_set.stages()
    if stages is None:
        made, source = _run_r(a_set), "R, run here"
    else:
        first = stages.columns.index("dispMAP") + 1
        made = stages.select("", "dispGeneEst", "dispMAP", *stages.columns[first : first + n_columns])
        kept = (
            np.ones(len(a_set.counts)) if "replace" not in stages.columns else 1 - column(stages, "replace")
        )
        untouched = np.where(kept == 1, 1.0, np.nan)
        made = made.with_columns(pl.exclude("") * pl.Series(untouched))
        source = "R, frozen"
    values = made[:, 1:].to_numpy().astype(float).T
    return Values(values[0], values[1], values[2:] * np.log(2), source)


def _run_r(a_set: DeSet) -> pl.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("counts.csv", "design.csv", "out.csv", "run.R")]
        pl.DataFrame(a_set.counts).write_csv(paths[0], include_header=False)
        pl.DataFrame(a_set.design).write_csv(paths[1], include_header=False)
        paths[3].write_text(R_VALUES)
        subprocess.run(["Rscript", str(paths[3]), *map(str, paths[:3])], check=True, capture_output=True)
        return frozen(paths[2])


if __name__ == "__main__":
    main()
