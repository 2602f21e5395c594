"""What commands print: progress, summaries, tables, explanations; and the same as JSON.

Belongs here: text for a terminal. Does not belong here: computing what is printed.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import polars as pl

from fm_platform.errors import FmError

if TYPE_CHECKING:  # printing a query's rows loads neither catalog nor engine
    from fm_platform.catalog.session import StepResult
    from fm_platform.defs.refresh import RefreshSummary
    from fm_platform.expression.de import DeSummary
    from fm_platform.lineage.verify import Verification
    from fm_platform.warehouse.lock import Holder
    from fm_platform.warehouse.records import CheckOutcome


class Progress:
    """One line a step on standard error, with sub-steps of long ones."""

    def __init__(self) -> None:
        self._total = 0
        self._count = 0
        self._begun = 0.0

    def refused(self, errors: Sequence[FmError], hindered: int) -> None:
        """Names in study.yaml are wrong; what does not need them runs."""
        for error in errors:
            _tell(click.style(f"wrong  {error}", fg="red"))
        if errors:
            _tell(f"{hindered} assets need what is wrong and will not run; readers keep the last publication")

    def planned(self, tables: Sequence[str], fresh: int) -> None:
        """What will run."""
        self._total = len(tables)
        if tables:
            _tell(f"{len(tables)} assets to run, {fresh} fresh")

    def note(self, text: str) -> None:
        """A word from within a step."""
        _tell(f"          {text}")

    def step(self, table: str, result: StepResult | None) -> None:
        """A step begins or ends."""
        if result is None:
            self._count += 1
            self._begun = time.monotonic()
            _tell(f"[{self._count:>3}/{max(self._total, self._count)}] {table}")
            return
        seconds = time.monotonic() - self._begun
        if result.status == "fresh":
            _tell(f"          unchanged ({seconds:.1f} s)")
            return
        rows = result.materialized.body["rows"]
        warned = [check.name for check in result.checks if not check.passed]
        checks = f", {len(result.checks)} checks" if result.checks else ""
        trouble = click.style(f", failed: {', '.join(warned)}", fg="yellow") if warned else ""
        unit = "files" if table.startswith("files.") else "tables" if table.startswith("publish.") else "rows"
        _tell(f"          {rows:,} {unit}{checks}{trouble} ({seconds:.1f} s)")

    def waiting(self, holder: Holder | None) -> None:
        """Another process holds the lock."""
        _tell(f"waiting for the home's lock, held by {holder or 'another process'}")


def _tell(text: str) -> None:
    click.echo(text, err=True)
    sys.stderr.flush()


def print_summary(summary: RefreshSummary) -> None:
    """The end of a refresh."""
    for table, error in summary.errors:
        click.echo(click.style(f"failed  {table}: {error}", fg="red"), err=True)
    said = {
        (r.table, check.name): f"{check.description} {check.told}"
        for r in summary.computed
        for check in r.checks
    }
    for table, check in summary.failed_checks:
        why = said.get((table, check), "")
        click.echo(
            click.style(f"blocking check failed  {table}: {check}. {why}".rstrip(), fg="red"), err=True
        )
    if summary.blocked:
        names = ", ".join(entry.table for entry in summary.blocked)
        click.echo(f"blocked {names}\n        because {summary.blocked[0].reason}", err=True)
        verdict = summary.blocked[0].blocked_by
        if verdict is not None and not summary.failed_checks:
            place = f"--study {summary.study_folder} --home {summary.home.path}"
            again = f"{_own_command()} refresh {place} --force --select {verdict.table}"
            click.echo(f"        what was found is told by `{again}`", err=True)
    note = " (synthetic data)" if summary.synthetic else ""
    click.echo(
        f"study {summary.study_id}{note}: {len(summary.computed)} assets run, "
        f"{len(summary.unchanged) + summary.fresh} unchanged, {summary.seconds:.1f} s"
    )
    for line in [*analysed_lines(_analysed(summary)), *_remarks(summary)]:
        click.echo(line)
    report = summary.home.reports / "report.html"
    if report.exists():
        click.echo(f"report     {report}")
    if summary.publication is not None:
        click.echo(f"warehouse  {summary.home.published}  (publication {summary.publication})")
    click.echo(f"UI         {_own_command()} dev --study {summary.study_folder} --home {summary.home.path}")


def _analysed(summary: RefreshSummary) -> list[dict[str, Any]]:
    """Outcome, visit, n and n_expected, as far as this refresh counted them."""
    from fm_platform.catalog.clinical.shrinking import AS_MANY

    checks = (check for result in summary.computed for check in result.checks if check.name == AS_MANY.name)
    return [dict(row) for check in checks for row in check.metadata["analysed"]]


def analysed_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """How many subjects each outcome is analysed in, by visit; outcomes with the same numbers share a line."""
    numbers: dict[str, list[str]] = {}
    for row in rows:
        numbers.setdefault(row["outcome"], []).append(f"{row['visit']} {row['n']}")
    alike: dict[str, list[str]] = {}
    for outcome, at_visits in numbers.items():
        alike.setdefault(", ".join(at_visits), []).append(outcome)
    return [
        f"{'' if at else 'analysed':<10} {visits} of {rows[0]['n_expected']} subjects: {', '.join(outcomes)}"
        for at, (visits, outcomes) in enumerate(alike.items())
    ]


def _remarks(summary: RefreshSummary) -> list[str]:
    """What a refresh found that stops nothing, and that somebody should look at."""
    from fm_platform.catalog.clinical.query_present import QUERIES
    from fm_platform.validation.query_history import OPEN

    failed = _failed_without_blocking(summary)
    names = ", ".join(f"{table}: {check.name}" for table, check in failed)
    lines = [f"checks     {len(failed)} failed without blocking: {names}"] if failed else []
    lines += [click.style(f"           {check.told}", fg="yellow") for _, check in failed if check.told]
    for result in summary.computed:
        asked = sum(int(result.metadata.get(state, 0)) for state in OPEN)
        if result.table == QUERIES and asked:
            lines.append(f"queries    {asked} open for the study site: `fm queries`")
    return lines


def _failed_without_blocking(summary: RefreshSummary) -> list[tuple[str, CheckOutcome]]:
    """Each check that failed in this refresh and stops nothing, with its table."""
    return [
        (result.table, check)
        for result in summary.computed
        for check in result.checks
        if not check.passed and not check.blocking
    ]


def _own_command() -> str:
    """How this program is called: by its name where the shell finds it, else by its path."""
    called = Path(sys.argv[0])
    return "fm" if shutil.which("fm") or called.name != "fm" else str(called)


def summary_as_json(summary: RefreshSummary) -> str:
    """A refresh's summary as JSON."""
    return json.dumps(
        {
            "study": summary.study_id,
            "synthetic": summary.synthetic,
            "home": str(summary.home.path),
            "run_id": summary.run_id,
            "computed": [result.table for result in summary.computed],
            "unchanged": list(summary.unchanged),
            "fresh": summary.fresh,
            "blocked": [{"asset": e.table, "reason": e.reason} for e in summary.blocked],
            "errors": [{"asset": table, "message": str(error)} for table, error in summary.errors],
            "failed_checks": [{"asset": table, "check": check} for table, check in summary.failed_checks],
            "warnings": [
                {"asset": table, "check": check.name} for table, check in _failed_without_blocking(summary)
            ],
            "analysed": [
                {key: row[key] for key in ("outcome", "visit", "n", "n_expected")}
                for row in _analysed(summary)
            ],
            "publication": summary.publication,
            "seconds": round(summary.seconds, 3),
        },
        indent=1,
    )


def print_frame(frame: pl.DataFrame) -> None:
    """A whole result as an aligned table."""
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        tbl_formatting="ASCII_MARKDOWN",
        fmt_str_lengths=80,
        tbl_width_chars=10_000,
        fmt_table_cell_list_len=6,
    ):
        click.echo(str(frame))
    click.echo(f"({frame.height} row{'' if frame.height == 1 else 's'})")


def rows_as_json(frame: pl.DataFrame) -> str:
    """An array of row objects; NaN becomes null."""
    floats = frame.with_columns(pl.selectors.float().fill_nan(None))
    return json.dumps(floats.to_dicts(), default=plain, indent=1)


def verification_as_json(found: Verification) -> str:
    """A verification as JSON."""
    return json.dumps(
        {
            "consistent": found.consistent,
            "anchored": found.anchored,
            "problems": found.problems,
            "pending": found.pending,
            "redacted": found.redacted,
            "checked": found.checked,
            "head": {"seq": found.head[0], "hash": found.head[1]},
        },
        indent=1,
    )


def print_verification(found: Verification) -> None:
    """What a verification found."""
    for problem in found.problems:
        click.echo(click.style(f"altered  {problem}", fg="red"))
    for name in found.pending:
        click.echo(f"pending  {name}: a new delivery that no refresh has read yet")
    if found.redacted:
        click.echo(found.redacted)
    click.echo("compared " + ", ".join(f"{count} {kind}" for kind, count in found.checked.items()))
    if found.problems:
        click.echo(f"{len(found.problems)} alteration{'s' if len(found.problems) > 1 else ''} found")
    elif found.anchored:
        click.echo("consistent, anchored at the given head")
    else:
        click.echo(f"consistent, not anchored (head {found.head[1]})")


def de_as_json(summary: DeSummary) -> str:
    """A DE summary as JSON."""
    return json.dumps(summary.as_json(), default=plain, indent=1)


def print_de(summary: DeSummary) -> None:
    """A DE summary."""
    if summary.id_rule != "exact":
        click.echo(f"sample ids   {summary.id_rule} (sheet column {summary.id_column})")
        for sheet_id, count_id in summary.id_mapping:
            click.echo(f"    {sheet_id} = {count_id}")
    click.echo(f"contrast     {summary.contrast}, design {summary.design}")
    click.echo(f"test         {summary.test}")
    sides = f" ({summary.n_level} against {summary.n_reference})" if summary.n_level is not None else ""
    click.echo(f"samples      {summary.n_samples}{sides}, residual df {summary.residual_df}")
    if summary.status != "run":
        click.echo(f"{summary.status:<12} {summary.reason}")
    click.echo(
        f"genes        {summary.n_genes:,}, tested {summary.n_tested:,}, padj < {summary.alpha}: "
        f"{summary.n_up:,} up, {summary.n_down:,} down"
    )
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in summary.na_reasons.items() if count)
    if reasons:
        click.echo(f"no value     {reasons}")
    for note in summary.notes:
        click.echo(f"note         {note}")
    click.echo(f"engine       {summary.engine}")
    click.echo(f"wrote        {summary.out}" + (f" and {summary.details}" if summary.details else ""))


def plain(value: Any) -> Any:
    """A value that JSON does not know, as one that it does."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
