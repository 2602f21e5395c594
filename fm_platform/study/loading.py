"""Reading study.yaml.

Belongs here: from the file to a checked ``Study``. Does not belong here: the checks (``references``), or the shape
(``model``).
"""

from __future__ import annotations

from pathlib import Path

from fm_platform.errors import InputError
from fm_platform.study.model import STUDY_FILE, Study
from fm_platform.study.references import check_ids, check_references, check_visits
from fm_platform.yaml_lines import YamlDocument, parse_model, parse_yaml, read_yaml


def load_study(folder: Path) -> Study:
    """Read and check ``folder/study.yaml``.

    Raises:
        InputError: study.yaml is missing, malformed or inconsistent; the message names the line and the mend.
    """
    document = read_yaml(folder / STUDY_FILE)
    study = parse_model(_with_contrast_file(document, folder), Study)
    study._folder = folder
    study._document = document
    for problem in (check_ids, check_visits):
        problem(study)
    if all(source.format != "redcap" for source in study.clinical.values()):
        check_references(study)
    return study


def files_beside(study: Study) -> list[str]:
    """The files that study.yaml is read with, by their path below the study folder: own instruments, contrasts.

    Data files are no part of it: dictionaries, events, lists and matrices are delivered like any other.
    """
    declared = parse_yaml(study.text, study.file).data.get("contrasts")
    own = [entry.use for entry in study.instruments if entry.use.endswith((".yaml", ".yml"))]
    return sorted({*own, *([declared] if isinstance(declared, str) else [])})


def _with_contrast_file(document: YamlDocument, folder: Path) -> YamlDocument:
    """Replace ``contrasts: file.csv`` (nf-core layout: id, variable, reference, target, blocking) by its rows."""
    data = document.data
    if not isinstance(data, dict) or not isinstance(data.get("contrasts"), str):
        return document
    import csv

    name = data["contrasts"]
    try:
        with (folder / name).open(newline="", encoding="utf-8-sig") as handle:
            rows = list(csv.DictReader(handle))
    except FileNotFoundError:
        raise InputError(
            f"contrast file {name} does not exist",
            file=document.path,
            line=document.line_of("contrasts"),
            mend="put it into the study folder, or list the contrasts in study.yaml",
        ) from None
    except (UnicodeDecodeError, IsADirectoryError, csv.Error):
        raise InputError(
            "not a CSV in UTF-8",
            file=folder / name,
            mend="save it as UTF-8 text in nf-core's layout: id,variable,reference,target,blocking",
        ) from None
    needed = {"id", "variable", "reference", "target"}
    if not rows or not needed <= set(rows[0]):
        raise InputError(
            f"a contrast file needs the columns {', '.join(sorted(needed))}",
            file=folder / name,
            line=1,
            mend="use nf-core's layout: id,variable,reference,target,blocking",
        )
    for name_of_column in set(rows[0]) - needed - {"blocking"}:
        if any(row[name_of_column] for row in rows):
            raise InputError(
                f"column {name_of_column!r} of a contrast file is not understood, and it may change the analysis",
                file=folder / name,
                line=1,
                mend="list these contrasts in study.yaml, where subset and design can be given",
            )
    contrasts = []
    for row in rows:
        blocking = [part for part in (row.get("blocking") or "").split(";") if part]
        contrasts.append(
            {
                "id": row["id"],
                "design": "~ " + " + ".join([*blocking, row["variable"]]),
                "variable": row["variable"],
                "level": row["target"],
                "reference": row["reference"],
            }
        )
    return YamlDocument(document.path, document.text, {**data, "contrasts": contrasts}, document.lines)
