"""Small sample tables and count matrices for the tests of this room."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from fm_platform.expression.designs.contrasts import ContrastPlan, plan_contrast
from fm_platform.expression.designs.samples import resolve_samples
from fm_platform.study.expression import Contrast, SamplesSource

SampleTable = Callable[..., pl.DataFrame]
Plan = Callable[..., ContrastPlan]


def _sheet(columns: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    height = len(next(iter(columns.values())))
    row_ids = [f"{i:032x}" for i in range(height)]
    return pl.DataFrame(
        {"_row_id": row_ids, **columns}, schema=dict.fromkeys(["_row_id", *columns], pl.String)
    )


@pytest.fixture
def raw_sheet() -> Callable[[Mapping[str, Sequence[str]]], pl.DataFrame]:
    return _sheet


@pytest.fixture
def samples() -> SampleTable:
    """Builds expression.samples from columns of levels; ids are s1, s2, ... in matrix order."""

    def build(*, subject_column: str | None = None, **columns: Sequence[str]) -> pl.DataFrame:
        ids = [f"s{i + 1}" for i in range(len(next(iter(columns.values()))))]
        source = SamplesSource(path="samples.csv", id="id", subject=subject_column)
        return resolve_samples(_sheet({"id": ids, **columns}), source, ids).frame

    return build


@pytest.fixture
def plan(samples: SampleTable) -> Plan:
    """Plans ``design`` on columns of levels, testing level against reference of variable."""

    def build(
        design: str,
        variable: str,
        level: str,
        reference: str,
        *,
        subset: Mapping[str, tuple[str, ...]] | None = None,
        covariates: tuple[str, ...] = (),
        alpha: float = 0.1,
        subject_column: str | None = None,
        **columns: Sequence[str],
    ) -> ContrastPlan:
        contrast = Contrast(
            id="c",
            design=design,
            variable=variable,
            level=level,
            reference=reference,
            subset=dict(subset or {}),
            covariates=covariates,
            alpha=alpha,
        )
        return plan_contrast(samples(subject_column=subject_column, **columns), contrast)

    return build


@pytest.fixture(scope="session")
def simulate() -> Callable[..., NDArray[np.int64]]:
    """Negative-binomial counts, genes x samples: dispersion 0.05 + 2 / mean, first tenth up by fold."""

    def build(
        groups: Sequence[str], up_in: str, *, genes: int = 200, fold: float = 4.0, seed: int = 7
    ) -> NDArray[np.int64]:
        generator = np.random.default_rng(seed)
        mean = np.exp(generator.normal(4.5, 1.3, genes))
        change = np.ones((genes, len(groups)))
        change[: genes // 10, [group == up_in for group in groups]] = fold
        depth = generator.uniform(0.7, 1.4, len(groups))
        mu = mean[:, None] * change * depth
        size = 1 / (0.05 + 2 / mean[:, None])
        return generator.negative_binomial(size, size / (size + mu)).astype(np.int64)

    return build
