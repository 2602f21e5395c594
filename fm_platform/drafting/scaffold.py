"""``fm init``: a new study folder with a commented study.yaml and template files.

Belongs here: the text of those files. Does not belong here: reading or checking a study.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from fm_platform.errors import InputError
from fm_platform.instruments.registry import load_instrument
from fm_platform.warehouse.home import write_atomically

STUDY_TEMPLATE = """\
# A study of fm_platform. Paths are relative to this folder. Remove the half that you do not have.
study:
  id: {study_id}                  # a short name; the results are kept under it
  title: "{study_id}"
  synthetic: false               # true marks every output as made-up data

clinical:
  participants:                  # becomes the table raw.participants
    path: clinical/participants.csv
    grain: subject               # one row a subject
    columns:                     # roles on the left, your column names on the right
      subject: subject_id
      sex: sex
      age: age
      group: group
      fm_type: fm_type
  visits:
    path: clinical/visits.csv
    grain: visit                 # one row a subject and visit
    columns: {{subject: subject_id, visit: visit, date: visit_date}}
    missing: ["", NA]            # texts that mean "no value"; {{"-99": not_done}} gives a reason
    dates: ymd                   # ymd, dmy or mdy
    # units: {{pain: {{from: mm, to: nrs}}}}

visits:                          # in order; `values` are the texts of the visit column (default: the id)
  - {{id: baseline, label: Baseline, day: 1, baseline: true}}
  - {{id: week_4, label: Week 4, day: 29, window: [15, 56]}}
  - {{id: week_12, label: Week 12, day: 85, window: [57, 112]}}
# unscheduled: [extra]           # listed, never analysed

population: {{group: fibromyalgia}}    # who counts in denominators
strata: fm_type                  # tables and colours by this column

instruments:
  - {{use: fiqr, source: visits, items: "fiqr_q{{n}}"}}    # columns fiqr_q1 to fiqr_q21
  - {{use: acr2016, source: visits}}                     # columns named like the items

outcomes:
  - {{id: fiqr_total, label: FIQR total, score: fiqr.total, family: primary, better: lower}}
  - {{id: fibromyalgianess, label: Fibromyalgianess, score: acr2016.psd, family: primary, better: lower}}
  - {{id: pain, label: Pain, score: fiqr.pain, better: lower}}
  # - {{id: twstrs, column: visits.twstrs, range: [6, 85], better: lower}}    # a plain column

responders:
  - {{id: pain30, outcome: pain, reduction: 0.30}}

# withdrawals: withdrawals.csv   # columns subject, date, scope (stop: later data; exclude: all; erase: see `fm erase`)

# expression:
#   counts: {{path: rnaseq/counts.csv, gene_id: gene_id}}    # genes in rows, samples in columns
#   samples: {{path: rnaseq/samples.csv, id: sample_id, subject: subject_id, visit: visit}}
# contrasts:
#   - {{id: fm_vs_healthy, design: "~ group", variable: group, level: fibromyalgia, reference: healthy, alpha: 0.05}}

schedule: {{cron: "0 2 * * *", timezone: UTC}}
# keep_snapshots: 20             # how many publications are kept beside the locked ones (`fm lock`)
"""


def write_study(folder: Path) -> list[Path]:
    """Write a new study folder.

    Args:
        folder: A folder that does not exist yet, or is empty.

    Returns:
        The files written.

    Raises:
        InputError: The folder has something in it.
        EnvironmentFailure: The folder cannot be written to.
    """
    require_new(folder)
    fiqr, acr = load_instrument("fiqr"), load_instrument("acr2016")
    answers = [f"fiqr_q{number}" for number in range(1, len(fiqr.items) + 1)]
    answers += [item.id for item in acr.items]
    contents = {
        "study.yaml": STUDY_TEMPLATE.format(study_id=study_id_of(folder)),
        "clinical/participants.csv": _header(["subject_id", "group", "fm_type", "sex", "age"]),
        "clinical/visits.csv": _header(["subject_id", "visit", "visit_date", *answers]),
    }
    return write_files(folder, contents)


def require_new(folder: Path) -> None:
    """Refuse a folder that has something in it.

    Raises:
        InputError: It does.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError("the folder is not empty", file=folder, mend="name a new folder")


def write_files(folder: Path, contents: Mapping[str, str]) -> list[Path]:
    """Write texts below a folder, by relative path; the paths written.

    Raises:
        EnvironmentFailure: The folder cannot be written to.
    """
    written = []
    for name, text in contents.items():
        path = folder / name
        write_atomically(path, text.encode())
        written.append(path)
    return written


def study_id_of(folder: Path) -> str:
    """A study id from the folder's name."""
    kept = "".join(
        letter if letter.isalnum() and letter.isascii() else "-" for letter in folder.resolve().name
    )
    return kept if kept[:1].isalpha() else f"study-{kept}".rstrip("-")


def _header(columns: list[str]) -> str:
    """A CSV with a header and no rows yet."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(columns)
    return text.getvalue()
