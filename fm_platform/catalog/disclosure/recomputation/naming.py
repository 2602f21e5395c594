"""How subjects and samples are called in the folder.

Belongs here: pseudonyms of subjects, plain numbers for samples, and frames with either. Does not belong here: which
frames there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from fm_platform.catalog.graph import Catalog
from fm_platform.errors import InputError
from fm_platform.privacy.pseudonyms import VARIABLE, key_id, pseudonym_key, pseudonyms
from fm_platform.warehouse.names import relation
from fm_platform.warehouse.reader import Published


@dataclass(frozen=True)
class Naming:
    """New names of subjects and samples; empty where they keep their own.

    Attributes:
        subjects: Subject to pseudonym.
        samples: Sample to its name in the folder.
    """

    subjects: Mapping[str, str]
    samples: Mapping[str, str]

    @property
    def hides(self) -> bool:
        """Whether subjects appear under pseudonyms."""
        return bool(self.subjects)

    def of_subjects(self, frame: pl.DataFrame, column: str = "subject_id") -> pl.DataFrame:
        """A frame with its subjects named as in the folder, sorted by them first."""
        if not self.subjects or column not in frame.columns:
            return frame
        renamed = pl.col(column).replace_strict(self.subjects, default=None, return_dtype=pl.String)
        return frame.with_columns(renamed).sort(column, maintain_order=True)

    def of_texts(self, texts: Iterable[str | None]) -> list[str | None]:
        """Values of a design variable: renamed where all of them are subjects or all are samples."""
        found = list(texts)
        for names in (self.subjects, self.samples):
            if names and all(text in names for text in found if text is not None):
                return [None if text is None else names[text] for text in found]
        return found


def naming(catalog: Catalog, published: Published, *, with_subject_ids: bool) -> Naming:
    """How subjects and samples are called.

    Args:
        catalog: The study's catalog.
        published: The open publication.
        with_subject_ids: Leave them as they are.

    Raises:
        InputError: Subjects are to be hidden, but there is no key.
    """
    if with_subject_ids:
        return Naming({}, {})
    subjects = _distinct(published, "staging.stg_subjects", "subject_id")
    expression = catalog.study.expression
    if expression is not None:
        role = "subject_id"
        subjects |= _distinct(published, "expression.samples", role)
        if expression.samples.subject is not None:
            subjects |= _distinct(published, "expression.samples", expression.samples.subject)
    if not subjects:
        return Naming({}, {})
    if not key_id():
        raise InputError(
            "the folder holds rows of single subjects",
            mend=f"set {VARIABLE} for pseudonyms, or let their ids out with --with-subject-ids",
        )
    samples = sorted(_distinct(published, "expression.samples", "sample_id"))
    width = len(str(len(samples)))
    return Naming(
        pseudonyms(pseudonym_key(), catalog.study.study.id, sorted(subjects)),
        {name: f"S{place:0{width}}" for place, name in enumerate(samples, start=1)},
    )


def _distinct(published: Published, table: str, column: str) -> set[str]:
    if not has_column(published, table, column):
        return set()
    rows = published.query(f'SELECT DISTINCT "{column}" AS name FROM {relation(table, "warehouse")}')
    return set(rows["name"].drop_nulls().cast(pl.String).to_list())


def has_column(published: Published, table: str, column: str) -> bool:
    """Whether a publication has a table with a column."""
    schema, _, name = table.partition(".")
    sql = (
        "SELECT count(*) FROM duckdb_columns() WHERE database_name = 'warehouse' AND schema_name = ? "
        "AND table_name = ? AND column_name = ?"
    )
    return bool(published.query(sql, [schema, name, column]).item())
