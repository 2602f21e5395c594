"""A literal clinical study of twelve people: enough of each age band and of each sex, but not of both together.

No questionnaires and no expression half.
"""

from __future__ import annotations

from pathlib import Path

STUDY = """\
study: {id: twelve, title: Twelve people, synthetic: true}
clinical:
  participants:
    path: participants.csv
    grain: subject
    columns: {subject: id, sex: sex, age: age}
  visits:
    path: visits.csv
    grain: visit
    columns: {subject: id, visit: visit, date: date}
    dates: ymd
visits:
  - {id: baseline, day: 1, baseline: true}
  - {id: week_12, day: 85, window: [57, 112]}
outcomes:
  - {id: pain, column: visits.pain, range: [0, 10], better: lower}
privacy: {quasi_identifiers: [age, sex]}
"""
PEOPLE = [
    *((f"T{n:02}", sex, age) for n, (sex, age) in enumerate(zip("ffffmm", range(42, 48), strict=True))),
    *((f"T{n:02}", sex, age) for n, (sex, age) in enumerate(zip("ffmmmm", range(52, 58), strict=True), 6)),
]
"""Six people in each band of ten, three in each band of five, six of each sex; two men in the first band of ten, two
women in the second."""


def write_twelve_people(folder: Path) -> Path:
    """The study's three files."""
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    deliver(folder, PEOPLE)
    return folder


def deliver(folder: Path, people: list[tuple[str, str, int]]) -> None:
    """Write both files anew, with these people in them."""
    listed = "".join(f"{name},{sex},{age}\n" for name, sex, age in people)
    (folder / "participants.csv").write_text(f"id,sex,age\n{listed}", encoding="utf-8")
    seen = "".join(
        f"{name},baseline,2024-01-01,{n % 5 + 5}\n{name},week_12,2024-03-25,{n % 4 + 2}\n"
        for n, (name, *_) in enumerate(people)
    )
    (folder / "visits.csv").write_text(f"id,visit,date,pain\n{seen}", encoding="utf-8")
