"""The expression half of study.yaml: counts, samples, genes, size factors and contrasts.

Belongs here: their shape and what is wrong within one entry. Does not belong here: reading counts, or building designs.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, FiniteFloat, model_validator

from fm_platform.study.values import Section, Slug, Texts

CountFormat = Literal[
    "auto",
    "plain",
    "transposed",
    "provider",
    "featurecounts",
    "star",
    "htseq",
    "kallisto",
    "salmon",
    "rsem",
    "mtx",
    "nf-core",
    "h5ad",
]
"""How counts are delivered; ``auto`` tells by first bytes, file names and headers (docs/expression-inputs.md)."""


Doubt = Literal["base-coverage"]
"""What values of a matrix may look like and be counts all the same: who knows better accepts it, and results say so."""


class CountsSource(Section):
    """The count matrix: one delivery or several whose shared samples must agree.

    ``path`` names files or folders. ``tx2gene`` goes with kallisto, salmon and RSEM's isoforms, ``strand`` with STAR,
    ``lengths`` with nf-core's gene_counts, ``sample_id`` with samples in rows, ``layer`` with h5ad.
    """

    path: Texts
    format: CountFormat = "auto"
    gene_id: str | None = None
    tx2gene: str | None = None
    strand: Literal["unstranded", "forward", "reverse"] | None = None
    lengths: str | None = None
    sample_id: Texts = ()
    layer: str | None = None


class GenesSource(Section):
    """Gene annotation: a GTF or a table. ``id`` and ``symbol`` name columns of a table."""

    path: str
    id: str | None = None
    symbol: str | None = None


class SamplesSource(Section):
    """The sample sheet. ``id`` names samples, ``count_id`` the column that holds the matrix's sample names."""

    path: str
    id: str
    count_id: str | None = None
    subject: str | None = None
    visit: str | None = None


class SizeFactorsSource(Section):
    """How size factors come about: estimated (``kind``, from ``control_genes`` only if given), or a sheet's ``column``.

    ``control_genes`` are gene ids or patterns such as ``ERCC-*``.
    """

    kind: Literal["ratio", "poscounts"] = "ratio"
    control_genes: Texts = ()
    column: str | None = None

    @model_validator(mode="after")
    def _given_or_estimated(self) -> SizeFactorsSource:
        if self.column is not None and (self.control_genes or "kind" in self.model_fields_set):
            raise ValueError(
                "`column:` gives the factors, so there is nothing to estimate: drop kind and control_genes"
            )
        return self


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _as_kind(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


class ExpressionSource(Section):
    """The expression half: counts and their sample sheet.

    ``stability`` says whether contrasts are fitted again without one sample after the other; by default they are where
    that takes seconds. ``accept`` names what the counts look like and are not: they are read, and every result is
    labelled.
    """

    counts: CountsSource
    samples: SamplesSource
    genes: GenesSource | None = None
    size_factors: Annotated[SizeFactorsSource, BeforeValidator(_as_kind)] = SizeFactorsSource()
    stability: bool | None = None
    accept: Annotated[tuple[Doubt, ...], BeforeValidator(_as_tuple)] = ()


class LevelPair(NamedTuple):
    """Which level of which variable is compared with which other one."""

    variable: str
    level: str
    reference: str


_KINDS = "`variable:`, `level:` and `reference:`, or `coefficient:`, or `vector:`"


class Contrast(Section):
    """One comparison: of two levels, of a ``coefficient`` with 0, or of a ``vector`` of weights of design columns.

    Variables of the design are factors unless listed under ``covariates``; ``reference_levels`` says which level of a
    factor the others are coded against. ``complete_pairs`` keeps only subjects with samples at both levels.
    ``lfc_threshold`` and ``alternative`` are of Wald's test; ``reduced`` is the smaller design of a likelihood-ratio
    test. ``shrink: apeglm`` adds shrunken fold changes.
    """

    id: Slug
    design: str
    variable: str | None = None
    level: str | None = None
    reference: str | None = None
    coefficient: str | None = None
    vector: dict[str, FiniteFloat] | None = None
    reference_levels: dict[str, str] = Field(default_factory=dict)
    subset: dict[str, Texts] = Field(default_factory=dict)
    covariates: tuple[str, ...] = ()
    complete_pairs: bool = False
    alpha: float = Field(default=0.1, gt=0, lt=1)
    lfc_threshold: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    alternative: Literal["greaterAbs", "lessAbs", "greater", "less"] = "greaterAbs"
    reduced: str | None = None
    shrink: Literal["apeglm"] | None = None
    label: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> Contrast:
        named = [name for name in ("variable", "level", "reference") if getattr(self, name) is not None]
        given = [bool(named), self.coefficient is not None, self.vector is not None]
        if sum(given) != 1:
            raise ValueError(f"give one of: {_KINDS}")
        if named and len(named) < 3:
            raise ValueError(
                f"a comparison of two levels needs variable, level and reference, but has {named} only"
            )
        if self.vector is not None and not any(self.vector.values()):
            raise ValueError("every weight of the vector is 0, so nothing is compared")
        if self.complete_pairs and not named:
            raise ValueError("complete_pairs goes with a comparison of two levels")
        return self

    @model_validator(mode="after")
    def _in_design(self) -> Contrast:
        if not self.design.lstrip().startswith("~"):
            raise ValueError("design is a formula that begins with ~")
        named = ([self.pair.variable] if self.pair else []) + list(self.reference_levels)
        for variable in named:
            if not re.search(rf"\b{re.escape(variable)}\b", self.design):
                raise ValueError(f"variable {variable!r} is not in the design {self.design!r}")
        if self.pair and self.level == self.reference:
            raise ValueError("level and reference are the same")
        return self

    @model_validator(mode="after")
    def _testable(self) -> Contrast:
        if self.reduced is not None and (self.lfc_threshold or self.alternative != "greaterAbs"):
            raise ValueError(
                "a likelihood-ratio test has no fold change to bound: drop `reduced`, or lfc_threshold and alternative"
            )
        if self.alternative == "lessAbs" and not self.lfc_threshold:
            raise ValueError("lessAbs needs a positive lfc_threshold")
        return self

    @property
    def pair(self) -> LevelPair | None:
        """The compared levels; None for a coefficient or a vector."""
        if self.variable is None or self.level is None or self.reference is None:
            return None
        return LevelPair(self.variable, self.level, self.reference)

    @property
    def compares(self) -> str:
        """What is compared, in words."""
        if self.pair is not None:
            return f"{self.variable}: {self.level} vs {self.reference}"
        if self.vector is None:
            return str(self.coefficient)
        terms = [
            f"{'-' if weight < 0 else '+'} {abs(weight):g} {name}" for name, weight in self.vector.items()
        ]
        return " ".join(terms).removeprefix("+ ")

    @property
    def restriction(self) -> str:
        """The subset in words; empty for all samples."""
        return "; ".join(f"{name} in ({', '.join(values)})" for name, values in self.subset.items())

    @property
    def test(self) -> str:
        """Which test is made, in words."""
        if self.reduced is not None:
            return f"likelihood-ratio test against {self.reduced}"
        size = f"{self.lfc_threshold:g}"
        claims = {
            "greaterAbs": f"|log2 fold change| > {size}",
            "lessAbs": f"|log2 fold change| < {size}",
            "greater": f"log2 fold change > {size}",
            "less": f"log2 fold change < {'-' if self.lfc_threshold else ''}{size}",
        }
        plain = self.alternative == "greaterAbs" and not self.lfc_threshold
        return "Wald test" if plain else f"Wald test of {claims[self.alternative]}"
