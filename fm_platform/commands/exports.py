"""``fm exports``: what left the home.

Belongs here: options and printing. Does not belong here: anything a test or an asset would want to call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fm_platform.commands.options import home_named, json_option, place_options

if TYPE_CHECKING:
    from fm_platform.lineage.exports import Export

_SHOWN = 8


@click.command()
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Only the exports that wrote a file with these bytes.",
)
@place_options
@json_option
def exports(file: Path | None, study: Path | None, home: Path | None, as_json: bool) -> None:
    """List what left the home by `fm export`: when, who, why, what of which publication, each file's SHA-256."""
    from fm_platform.lineage.exports import read_exports, that_wrote

    known = read_exports(home_named(study, home))
    if file is not None:
        known = that_wrote(known, file)
    if as_json:
        click.echo(json.dumps([export.as_json() for export in known], indent=1, ensure_ascii=False))
        return
    if not known:
        click.echo("nothing was exported from this home")
    for export in known:
        _print(export, every_file=file is not None)


def _print(export: Export, every_file: bool) -> None:
    reason = f": {export.reason}" if export.reason else ""
    click.echo(
        f"record {export.seq}  {export.at[:19].replace('T', ' ')}  {export.form}  publication {export.publication}  "
        f"holds {export.holds}  by {export.actor}{reason}"
    )
    for line in _judged(export.body):
        click.echo(f"        {line}")
    shown = export.files if every_file or export.form == "tables" else export.files[:_SHOWN]
    for entry in shown:
        click.echo(f"        {entry['sha256']}  {entry['path']}{_of_table(entry)}")
    if len(shown) < len(export.files):
        click.echo(f"        and {len(export.files) - len(shown)} more files (--json has all)")


def _judged(body: Mapping[str, Any]) -> list[str]:
    lines = []
    judged = body.get("k")
    if judged is not None:
        left_out = f"; without {', '.join(body['without'])}" if body["without"] else ""
        lines.append(f"{_k_anonymity(body, judged)}; numbers: {body['banding']}{left_out}")
    lines += [f"accepted: {text}" for text in body.get("accepted", ())]
    if "sent_to" in body:
        lines.append(f"sent to {body['sent_to']}")
    return lines


def _k_anonymity(body: Mapping[str, Any], judged: Mapping[str, Any]) -> str:
    if not body["declared"]:
        return "k-anonymity not judged: no quasi-identifiers were declared"
    asked = f"k {judged['k_required']} of {', '.join(body['declared'])}"
    names = ", ".join(judged["quasi_identifiers"])
    found = f"the smallest class of {names} has {judged['k_achieved']}" if names else "no person's own left"
    return f"{asked}: {found}"


def _of_table(entry: Mapping[str, Any]) -> str:
    words = [f"{entry['rows']:,} rows"] if "rows" in entry else []
    if entry.get("suppressed"):
        words.append(f"suppressed: {', '.join(entry['suppressed'])}")
    return f"  ({'; '.join(words)})" if words else ""
