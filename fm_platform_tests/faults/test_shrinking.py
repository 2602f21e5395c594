"""A study of which a delivery would leave less says so and stops; readers keep what was published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fm_platform_tests.e2e.conftest import Workspace
from fm_platform_tests.unit.catalog.twelve_people import write_twelve_people


@pytest.fixture
def study(tmp_path: Path) -> Workspace:
    """Twelve people at two visits, refreshed once."""
    made = Workspace(write_twelve_people(tmp_path / "study"), tmp_path / "home")
    outcome = made.fm("refresh")
    assert outcome.code == 0, outcome.err
    assert "analysed   week_12 12 of 12 subjects: pain" in outcome.out
    return made


def at_week_12(text: str, change: dict[str, str]) -> str:
    """The visits with other pain values of some subjects at week 12."""
    lines = text.splitlines()
    for at, line in enumerate(lines):
        subject, visit, day, _ = line.split(",")
        if visit == "week_12" and subject in change:
            lines[at] = f"{subject},{visit},{day},{change[subject]}"
    return "\n".join(lines) + "\n"


def published(study: Workspace) -> list[dict]:
    asked = "SELECT outcome, visit, n FROM stats.symptom_change WHERE stratum IS NULL"
    return json.loads(study.fm("query", asked, "--json").out)


def test_undeclared_codes_stop_the_half_until_they_are_declared(study):
    study.edit("visits.csv", lambda text: at_week_12(text, {f"T{n:02}": "n.d." for n in range(5)}))
    refused = study.fm("refresh")
    assert refused.code == 1
    assert "blocking check failed  quarantine.visits: refused_within_limit" in refused.err
    assert (
        "visits.csv:3, column pain: 5 of 24 values are refused (5 x 'n.d.', which is not a number)"
        in refused.err
    )
    assert 'add "n.d." to `missing:` in `clinical: visits:` of study.yaml' in refused.err
    assert published(study) == [{"outcome": "pain", "visit": "week_12", "n": 12}]
    again = study.fm("refresh")
    assert again.code == 1
    assert "--force --select quarantine.visits" in again.err
    records = "SELECT count(*) AS n FROM audit.ledger WHERE kind = 'check' AND body LIKE '%n.d.%'"
    assert json.loads(study.fm("query", records, "--json").out) == [{"n": 0}]

    study.edit(
        "study.yaml", lambda text: text.replace("    dates: ymd", '    dates: ymd\n    missing: ["", n.d.]')
    )
    fewer = study.fm("refresh")
    assert fewer.code == 1
    assert "blocking check failed  stats.symptom_change: loss_within_limit" in fewer.err
    assert "pain at week_12: 7 subjects, 12 in the last publication" in fewer.err
    assert published(study) == [{"outcome": "pain", "visit": "week_12", "n": 12}]

    accepted = study.fm("accept", "--numbers", "--reason", "the site lost five forms")
    assert accepted.code == 0, accepted.err
    study.edit("visits.csv", lambda text: at_week_12(text, {"T11": "n.d."}))
    assert study.fm("refresh").code == 1, "one more than was accepted"
    study.edit("visits.csv", lambda text: at_week_12(text, {"T11": "5"}))
    allowed = study.fm("refresh")
    assert allowed.code == 0, allowed.err
    assert "analysed   week_12 7 of 12 subjects: pain" in allowed.out
    assert "pain at week_12: 7 subjects, 12 in the last publication" in allowed.out
    assert published(study) == [{"outcome": "pain", "visit": "week_12", "n": 7}]
    assert study.fm("verify").code == 0

    nothing = study.fm("accept", "--numbers", "--reason", "again")
    assert nothing.code == 2
    assert "did not stop at numbers of subjects" in nothing.err


def test_other_people_at_each_visit_are_no_study(study):
    study.edit(
        "study.yaml",
        lambda text: text.replace(text[text.index("  participants:") : text.index("  visits:")], ""),
    )
    study.edit("study.yaml", lambda text: text.replace("privacy: {quasi_identifiers: [age, sex]}\n", ""))
    study.edit(
        "visits.csv",
        lambda text: "\n".join(
            line.replace("T", "R") if "week_12" in line else line for line in text.splitlines()
        ),
    )
    elsewhere = Workspace(study.study, study.home.parent / "other-home")
    refused = elsewhere.fm("refresh")
    assert refused.code == 1
    assert "blocking check failed  stats.symptom_change: subjects_paired" in refused.err
    assert (
        "pain: 12 subjects at baseline (T00, T01, T02, ...), 12 others at week_12 (R00, R01, R02, ...)"
        in refused.err
    )
