"""The list of withdrawals as an asset.

Belongs here: reading and keeping the delivered list. Does not belong here: what it takes out of the analysis
(``validation.withdrawals``, ``expression.withdrawn``), or purging (``catalog.erasure``).
"""

from __future__ import annotations

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, columns
from fm_platform.catalog.delivered import source_rows
from fm_platform.lineage.code import code_version
from fm_platform.sources.delimited import read_text_table
from fm_platform.study.model import Study
from fm_platform.validation.withdrawals import TABLE, check_withdrawals

SOURCE = "withdrawals"


def withdrawal_assets(study: Study) -> list[Asset]:
    """``raw.withdrawals``, where study.yaml names a list."""
    if study.withdrawals is None:
        return []
    return [
        Asset(
            table=TABLE,
            description="Subjects who withdrew, as delivered: what is set aside, and from when.",
            group="raw",
            kinds=("file", "duckdb"),
            half="both",
            key=("_row_id",),
            study_keys=("withdrawals",),
            source_files=(study.folder / study.withdrawals,),
            code_version=code_version(build_withdrawals),
            build=build_withdrawals,
            columns=columns(
                _row_id="Hash of source, row content and occurrence",
                subject="The subject",
                date="The day of the withdrawal",
                scope="stop: data after the day; exclude: all data; erase: all data, which `fm erase` purges",
            ),
        )
    ]


def build_withdrawals(step: Step) -> Built:
    """``raw.withdrawals``."""
    assert step.study.withdrawals is not None
    path = step.study.resolve(step.study.withdrawals, "withdrawals")
    name = path.relative_to(step.study.folder).as_posix()
    table = read_text_table(SOURCE, path, name=name)
    check_withdrawals(table.frame, table.lines, name)
    kept = step.keep(SOURCE, path)
    row_ids = table.frame["_row_id"].to_list()
    return Built(
        rows=table.frame,
        source_rows=source_rows(SOURCE, row_ids, table.lines, table.file.sha256, kept.path),
        metadata={"file": name, "sha256": table.file.sha256, "subjects": table.frame.height},
    )


def withdrawals_of(step: Step) -> pl.DataFrame:
    """The list; empty where the study names none."""
    if step.study.withdrawals is None or not step.warehouse.exists(TABLE):
        return pl.DataFrame(schema=dict.fromkeys(("subject", "date", "scope"), pl.String))
    return step.read(TABLE)
