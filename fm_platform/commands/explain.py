"""``fm explain``: where a number comes from.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fm_platform.commands.options import home_named, json_option, pair, place_options
from fm_platform.commands.recomputing import recompute_number, recompute_options

if TYPE_CHECKING:
    from fm_platform.lineage.explain.cells import UpstreamCells
    from fm_platform.lineage.explain.explanation import Explanation
    from fm_platform.lineage.explain.family import FamilyMember
    from fm_platform.lineage.explain.gene import GeneFit
    from fm_platform.lineage.source_rows import FileRows

_HASH = 12
_CELLS = 20
_ROWS = 50
_CELLS_OF_ROW = 5
_WIDE, _WIDE_ROW = 80, 160
_COMPUTING = ("duckdb", "numpy", "polars", "python", "scipy", "sqlglot")
"""Libraries that values are computed with; the others of a table come along with the code that writes it."""
_EXACT, _SCALE = "_exact", "_scale"


@click.command()
@click.argument("table")
@place_options
@click.option(
    "--where", "conditions", multiple=True, metavar="COL=VALUE", help="Picks the row; COL= means null."
)
@click.option("--column", help="The cell's column.")
@recompute_options
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help=f"List every delivered row, not only the first {_ROWS}, with all its cells, and every library.",
)
@click.option(
    "--sql", "as_sql", is_flag=True, help="Print a query that lists the delivered rows in plain DuckDB."
)
@json_option
def explain(
    table: str,
    study: Path | None,
    home: Path | None,
    conditions: tuple[str, ...],
    column: str | None,
    everything: bool,
    as_sql: bool,
    as_json: bool,
    recompute: Path | None,
    reason: str | None,
    with_subject_ids: bool,
) -> None:
    """Where a number comes from: value, method, delivered rows with file, line and hash, checks, code, run."""
    from fm_platform.lineage.explain.explanation import explain as explain_cell
    from fm_platform.warehouse.reader import open_published

    where = [pair(condition, "--where") for condition in conditions]
    if as_sql:
        from fm_platform.errors import InputError
        from fm_platform.lineage.explain.as_sql import delivered_sql

        if as_json or recompute is not None:
            raise InputError("--sql goes with neither --json nor --recompute", mend="leave one out")
        with open_published(home_named(study, home)) as published:
            click.echo(delivered_sql(published, table, where, column), nl=False)
        return
    most = None if everything or as_json else _ROWS
    with open_published(home_named(study, home)) as published:
        explanation = explain_cell(published, table, where, column, most)
    if as_json:
        click.echo(_as_json(explanation))
    else:
        _print(explanation, everything)
    if recompute is not None:
        recompute_number(study, home, table, where, column, recompute, reason, with_subject_ids)


def _as_json(explanation: Explanation) -> str:
    """An explanation as JSON."""
    from fm_platform.terminal import plain

    return json.dumps(dataclasses.asdict(explanation), default=plain, indent=1)


def _print(explanation: Explanation, everything: bool) -> None:
    """An explanation as a tree; with everything nothing is cut short."""
    key = _key(explanation.key)
    if explanation.publication.get("data_origin") == "synthetic":
        click.echo("SYNTHETIC DATA")
    click.echo(f"{explanation.table} ({key})")
    if explanation.column:
        click.echo(f"  {explanation.column} = {_said(explanation.value)}")
    else:
        for name, value in explanation.value.items():
            click.echo(f"  {name} = {_said(value)}")
    if explanation.meaning:
        click.echo(f"  meaning    {explanation.meaning}")
    if explanation.method:
        click.echo(f"  method     {explanation.method}")
    if explanation.formula:
        click.echo(f"  formula    {explanation.formula}")
    for name, value in explanation.parameters.items():
        if name not in ("method", "engine"):
            click.echo(f"  {name:<10} {value}")
    _print_family(explanation.family)
    if explanation.gene is not None:
        _print_gene(explanation.gene)
    _print_made(explanation.made, everything)
    _print_inputs(explanation.inputs)
    _print_upstream(explanation.upstream, _CELLS if explanation.column else _CELLS_OF_ROW)
    passed = sum(bool(check["passed"]) for check in explanation.checks)
    click.echo(f"  checks     {passed} of {len(explanation.checks)} passed, here and upstream")
    for check in explanation.checks:
        if not check["passed"]:
            click.echo(f"    failed   {check['table_name']}: {check['check_name']} ({check['description']})")
    _print_rows(explanation, None if everything else _WIDE_ROW)
    for out in explanation.left_out:
        click.echo(f"  {'imputed   ' if out.imputed else 'left out  '} {out.what} {out.name}: {out.reason}")
    for refused in explanation.quarantined:
        what = f"cell {refused.column}" if refused.column else "row"
        click.echo(f"  refused    {what} of {refused.path}:{refused.line} ({refused.rule}: {refused.reason})")
    click.echo(f"  command    {_command(explanation)}")


def _command(explanation: Explanation) -> str:
    """What prints this explanation again; with --recompute DIR --reason TEXT it recomputes the number elsewhere."""
    where = [
        word
        for name, value in explanation.key.items()
        for word in ("--where", f"{name}={'' if value is None else value}")
    ]
    column = ["--column", explanation.column] if explanation.column else []
    return shlex.join(["fm", "explain", explanation.table, *where, *column])


def _print_family(family: Sequence[FamilyMember]) -> None:
    if family:
        click.echo(f"  adjusted   over {len(family)} tests")
    for member in family:
        click.echo(f"    {_key(member.key)}: {member.column} {member.value}")


def _print_rows(explanation: Explanation, wide: int | None) -> None:
    """The delivered rows with their role and cells; those that only decide, in one line a file."""
    giving = [whole for whole in explanation.wholes if whole.role in ("value", "member")]
    further = Counter[str]()
    for file in explanation.by_file:
        if file.role not in ("decides", "family"):
            further[file.path] += file.rows
    for whole in giving:
        click.echo(f"  computed from every row of {whole.table} ({whole.rows:,}), by way of {whole.via}")
    if further or not giving:
        click.echo(f"  computed from {further.total():,} delivered rows")
    for row in explanation.rows:
        role = "" if row.role in ("value", "member") else f"  ({row.role})"
        click.echo(f"    {row.path}:{row.line}  sha256 {row.sha256}  row {row.row_id[:_HASH]}{role}")
        if row.cells:
            cells = sorted(row.cells.items(), key=lambda cell: _natural(cell[0]))
            listed = ", ".join(f"{name}={_said(value)}" for name, value in cells)
            click.echo(f"      {listed if wide is None else _short(listed, wide)}")
        further[row.path] -= 1
    for path, count in further.items():
        if count:
            click.echo(f"    and {count:,} more of {path} (--all lists them)")
    for file in explanation.by_file:
        if file.role in ("decides", "family"):
            word = "family" if file.role == "family" else "decided by"
            click.echo(
                f"  {word:<10} {file.path}: {file.rows} row{'s' * (file.rows != 1)}, lines {_lines(file)}"
            )
    for whole in explanation.wholes:
        if whole in giving:
            continue
        click.echo(f"  {whole.role:<10} every row of {whole.table} ({whole.rows:,}), by way of {whole.via}")


def _lines(file: FileRows) -> str:
    """The lines of a file, runs of them as a range."""
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in file.lines]
    return ", ".join([*texts, *(["..."] if file.more else [])])


def _print_gene(gene: GeneFit) -> None:
    click.echo(
        f"  contrast   {gene.contrast}: {gene.compares}, design {gene.design}, "
        f"alpha {gene.alpha}" + (f", {gene.subset}" if gene.subset else "")
    )
    click.echo(f"  dispersion {gene.dispersion}")
    click.echo(
        f"  padj       Benjamini-Hochberg over the {gene.n_adjusted:,} genes of the contrast that independent "
        f"filtering kept, of {gene.n_tested:,} with a p-value"
    )
    if gene.pvalue is not None:
        click.echo(f"  pvalue     {gene.pvalue}")
    if gene.rank is not None:
        click.echo(
            f"    padj     {gene.n_adjusted} * {gene.ranked_p} / {gene.rank} (p-value of rank {gene.rank})"
        )
    for sample in gene.samples:
        click.echo(
            f"    sample   {sample.sample_id} ({sample.sheet}:{sample.sheet_line}): count {sample.count} in column "
            f"{sample.column} of {sample.matrix}, size factor {sample.size_factor}"
            + "".join(f", {name} {_said(value)}" for name, value in sample.design.items())
        )
    for note in gene.notes:
        click.echo(f"    note     {note}")


def _print_upstream(upstream: Sequence[UpstreamCells], most: int) -> None:
    """Cells behind a cell; a score kept as a fraction of two columns is printed as the value it is."""
    for entry in upstream:
        scale = _scale_of(entry, upstream)
        if scale is None and _exact_of(entry, upstream) is not None:
            continue
        name = entry.column.removesuffix(_EXACT)
        shown = f"{name} = {entry.column}/{scale.column}" if scale else entry.column
        role = f", {entry.role}" if entry.role not in ("value", "member") else ""
        click.echo(f"  from       {entry.table}.{shown}: {entry.count} cell{'s' * (entry.count != 1)}{role}")
        listed = entry.cells if len(entry.cells) <= most + 1 else entry.cells[:most]
        for place, cell in enumerate(listed):
            key = _key(cell["key"])
            value = _fraction(cell["value"], scale.cells[place]["value"]) if scale else _short(cell["value"])
            click.echo(f"    {key}: {value}")
        if entry.count > len(listed):
            click.echo(f"    and {entry.count - len(listed):,} more")


def _scale_of(entry: UpstreamCells, upstream: Sequence[UpstreamCells]) -> UpstreamCells | None:
    """The denominators of an entry's numerators."""
    return _partner(entry, upstream, _EXACT, _SCALE)


def _exact_of(entry: UpstreamCells, upstream: Sequence[UpstreamCells]) -> UpstreamCells | None:
    """The numerators of an entry's denominators."""
    return _partner(entry, upstream, _SCALE, _EXACT)


def _partner(
    entry: UpstreamCells, upstream: Sequence[UpstreamCells], own: str, other: str
) -> UpstreamCells | None:
    """The entry for the same cells of the column that only ends otherwise."""
    if not entry.column.endswith(own):
        return None
    wanted = entry.column.removesuffix(own) + other
    keys = [cell["key"] for cell in entry.cells]
    for candidate in upstream:
        named = (candidate.table, candidate.column, candidate.count) == (entry.table, wanted, entry.count)
        if named and [cell["key"] for cell in candidate.cells] == keys:
            return candidate
    return None


def _fraction(exact: Any, scale: Any) -> str:
    """A score in its own unit, and as the exact fraction where it is no whole number.

    >>> _fraction(455, 6), _fraction(8, 1), _fraction(None, None)
    ('75.8333 (455/6)', '8', '(none)')
    """
    if exact is None or not scale:
        return _said(None)
    whole, rest = divmod(exact, scale)
    return str(whole) if rest == 0 else f"{exact / scale:.4f}".rstrip("0") + f" ({exact}/{scale})"


def _key(key: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={'(all)' if value is None else value}" for name, value in key.items())


def _natural(name: str) -> list[tuple[int, str]]:
    """By which names are ordered as people do.

    >>> sorted(["q10", "q2", "age"], key=_natural)
    ['age', 'q2', 'q10']
    """
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _said(value: Any) -> str:
    return "(none)" if value is None else str(value)


def _short(value: Any, wide: int = _WIDE) -> str:
    text = _said(value)
    return text if len(text) <= wide else text[: wide - 3] + "..."


def _print_made(made: Mapping[str, Any], everything: bool) -> None:
    click.echo(f"  run        {made['run_id']} at {made['at']} by {made['actor']}")
    if made.get("reason"):
        click.echo(f"  reason     {made['reason']}")
    click.echo(f"  code       {made['code_version'][:_HASH]}   study.yaml {made['study_digest'][:_HASH]}")
    if made["libraries"]:
        shown = {n: v for n, v in sorted(made["libraries"].items()) if everything or n in _COMPUTING}
        others = len(made["libraries"]) - len(shown)
        listed = ", ".join(f"{name} {version}" for name, version in shown.items())
        click.echo(f"  libraries  {listed}{f' and {others} more (--all lists them)' if others else ''}")
    for name, words in made["environment"].items():
        click.echo(f"  {name.lower():<10} {words}")
    click.echo(f"  ledger     record {made['ledger_seq']}")


def _print_inputs(inputs: Sequence[Mapping[str, str]]) -> None:
    for kind in ("DIRECT", "INDIRECT"):
        chosen = [f"{entry['table']}.{entry['column']}" for entry in inputs if entry["kind"] == kind]
        if chosen:
            click.echo(f"  {kind.lower():<10} {', '.join(dict.fromkeys(chosen))}")
