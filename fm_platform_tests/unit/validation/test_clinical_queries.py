"""Rules that ask: each finds its case in a tiny study, and says nothing about the sound visit beside it."""

from __future__ import annotations

import datetime
from dataclasses import replace

import polars as pl
import pytest

from fm_platform.errors import InputError
from fm_platform.study.model import Study
from fm_platform.validation import clinical_queries, visit_queries
from fm_platform.validation.headers import require_columns
from fm_platform.validation.staged_visits import StagedVisits

STUDY = Study.model_validate(
    {
        "study": {"id": "s", "title": "S"},
        "clinical": {
            "visits": {"path": "v.csv", "grain": "visit", "columns": {"subject": "id", "visit": "v"}}
        },
        "visits": [
            {"id": "base", "day": 1, "baseline": True},
            {"id": "w4", "window": [15, 56]},
            {"id": "w12", "window": [57, 112]},
        ],
        "population": {"group": "fm"},
        "instruments": [{"use": "fiqr", "source": "visits"}, {"use": "acr2016", "source": "visits"}],
    }
)
IDS = pl.List(pl.String)
FIQR = [f"fiqr_{n:02}" for n in range(1, 22)]


def frame(rows: list[dict[str, object]], **schema: object) -> pl.DataFrame:
    return pl.DataFrame(
        [{**row, "_row_ids": [f"r{at}"]} for at, row in enumerate(rows)], schema={**schema, "_row_ids": IDS}
    )


def subjects(*names: str) -> pl.DataFrame:
    return frame(
        [{"subject_id": n, "in_population": True} for n in names],
        subject_id=pl.String,
        in_population=pl.Boolean,
    )


def visits(*rows: tuple[str, str, str | None]) -> pl.DataFrame:
    listed = [
        {
            "source": "visits",
            "subject_id": s,
            "visit_id": v,
            "visit_date": datetime.date.fromisoformat(d) if d else None,
        }
        for s, v, d in rows
    ]
    return frame(listed, source=pl.String, subject_id=pl.String, visit_id=pl.String, visit_date=pl.Date)


def answers(instrument: str, *rows: tuple[str, str, str, int]) -> pl.DataFrame:
    listed = [
        {"subject_id": s, "visit_id": v, "instrument": instrument, "item": i, "answer": a}
        for s, v, i, a in rows
    ]
    return frame(
        listed,
        subject_id=pl.String,
        visit_id=pl.String,
        instrument=pl.String,
        item=pl.String,
        answer=pl.Int16,
    )


def scores(*rows: tuple[str, str, str, float]) -> pl.DataFrame:
    listed = [{"subject_id": s, "visit_id": v, "score_id": i, "value": x} for s, v, i, x in rows]
    return frame(listed, subject_id=pl.String, visit_id=pl.String, score_id=pl.String, value=pl.Float64)


def measures(*rows: tuple[str, str, str, str]) -> pl.DataFrame:
    from decimal import Decimal

    listed = [{"subject_id": s, "visit_id": v, "variable": n, "value": Decimal(x)} for s, v, n, x in rows]
    return frame(
        listed, subject_id=pl.String, visit_id=pl.String, variable=pl.String, value=pl.Decimal(18, 6)
    )


def attribute(*rows: tuple[str, object], kind: object = pl.String) -> pl.DataFrame:
    listed = [{"source": "people", "subject_id": s, "value": v} for s, v in rows]
    return frame(listed, source=pl.String, subject_id=pl.String, value=kind)


EMPTY = StagedVisits(STUDY, subjects(), visits(), answers("fiqr"), measures(), scores(), {})


def found(table: pl.DataFrame) -> list[tuple[object, ...]]:
    return table.select("rule", "subject", "event", "item", "value", "expected").rows()


def test_fm006_a_pain_column_that_differs_from_the_item() -> None:
    staged = replace(
        EMPTY,
        answers=answers("fiqr", ("a", "base", "fiqr_12_pain", 7), ("b", "base", "fiqr_12_pain", 5)),
        measures=measures(("a", "base", "visits.pain", "6.5"), ("b", "base", "visits.pain", "5")),
    )
    assert found(clinical_queries.pain_differs(staged)) == [("FM006", "a", "base", "pain", "6.5", "7")]


def test_fm012_all_answers_alike() -> None:
    alike = [("a", "base", item, 5) for item in FIQR]
    mixed = [("b", "base", item, at % 3) for at, item in enumerate(FIQR)]
    staged = replace(EMPTY, answers=answers("fiqr", *alike, *mixed))
    assert found(clinical_queries.straight_lining(staged)) == [("FM012", "a", "base", "fiqr", "5", None)]


def test_fm013_all_areas_or_none_with_pain() -> None:
    staged = replace(
        EMPTY,
        scores=scores(*(("abcd"[at], "base", "acr2016.wpi", wpi) for at, wpi in enumerate((19, 0, 0, 8)))),
        answers=answers("fiqr", ("b", "base", "fiqr_12_pain", 4), ("c", "base", "fiqr_12_pain", 3)),
    )
    assert [row[1] for row in found(clinical_queries.areas_against_pain(staged))] == ["a", "b"]


def test_fm014_one_item_against_the_others() -> None:
    base = [("a", "base", item, 8) for item in FIQR]
    later = [("a", "w4", item, 4) for item in FIQR[1:]]
    rows = [("a", "base", FIQR[0], 1), *base[1:], ("a", "w4", FIQR[0], 9), *later]
    staged = replace(EMPTY, answers=answers("fiqr", *rows))
    assert found(clinical_queries.items_against_the_trend(staged)) == [
        ("FM014", "a", "w4", FIQR[0], "9", None)
    ]


def test_fm015_enrolled_without_meeting_the_criteria() -> None:
    def bounds(subject: str, wpi: int, sss: int, regions: int) -> list[tuple[str, str, str, float]]:
        parts = {"wpi": wpi, "sss": sss, "n_regions": regions}
        return [
            (subject, "base", f"acr2016.{p}_{end}", v) for p, v in parts.items() for end in ("min", "max")
        ]

    staged = replace(
        EMPTY,
        subjects=subjects("a", "b"),
        scores=scores(*bounds("a", 7, 5, 3), *bounds("b", 7, 5, 4)),
        answers=answers(
            "acr2016", ("a", "base", "duration_3_months", 1), ("b", "base", "duration_3_months", 1)
        ),
    )
    assert [row[:3] for row in found(clinical_queries.criteria_at_baseline(staged))] == [
        ("FM015", "a", "base")
    ]


def test_fm008_order_and_windows() -> None:
    staged = replace(
        EMPTY,
        visits=visits(
            ("a", "base", "2024-01-01"), ("a", "w4", "2024-01-10"), ("a", "w12", "2024-01-05"),
            ("b", "base", "2024-01-01"), ("b", "w4", "2024-01-29"), ("b", "w12", "2024-03-25"),
        ),
    )  # fmt: skip
    assert found(visit_queries.dates_and_windows(staged)) == [
        ("FM008", "a", "w4", "window", "day 10", "day 15 to 56"),
        ("FM008", "a", "w12", "date", "2024-01-05", "after 2024-01-10"),
    ]


def test_fm009_baseline_after_the_first_dose() -> None:
    dose = attribute(("a", datetime.date(2024, 1, 1)), ("b", datetime.date(2024, 1, 1)), kind=pl.Date)
    staged = replace(
        EMPTY,
        visits=visits(("a", "base", "2024-01-02"), ("b", "base", "2024-01-01")),
        attributes={"first_dose": dose},
    )
    assert [row[:2] for row in found(visit_queries.baseline_after_dose(staged))] == [("FM009", "a")]


def test_fm010_type_against_diagnosis() -> None:
    types = attribute(
        ("a", "primary"), ("b", "primary"), ("c", "secondary"), ("d", "secondary"), ("e", "primary")
    )
    diagnoses = attribute(
        ("a", "Rheumatoid arthritis"), ("b", "none"), ("c", "none"), ("d", "lupus"), ("e", "migraine")
    )
    staged = replace(EMPTY, attributes={"fm_type": types, "concomitant_dx": diagnoses})
    assert [row[1] for row in found(visit_queries.type_and_diagnosis(staged))] == ["a", "c"]


def test_fm011_a_subject_without_visits() -> None:
    staged = replace(EMPTY, subjects=subjects("a", "b"), visits=visits(("a", "base", None)))
    assert [row[:2] for row in found(visit_queries.subjects_without_visits(staged))] == [("FM011", "b")]


def test_fm016_a_visit_that_is_past_and_missing() -> None:
    staged = replace(
        EMPTY,
        subjects=subjects("a", "b", "c"),
        visits=visits(
            ("a", "base", "2024-01-01"), ("a", "w12", "2024-03-25"),
            ("b", "base", "2024-03-01"),
            ("c", "base", "2024-01-15"),
        ),
    )  # fmt: skip
    # The newest date is 25 March: a skipped week 4, b is not due, c's week 4 (to day 56) is past.
    assert [row[:3] for row in found(visit_queries.missing_visits(staged))] == [
        ("FM016", "a", "w4"),
        ("FM016", "c", "w4"),
    ]


def test_fm018_samples_of_nobody_and_twice_the_same() -> None:
    listed = [
        {"sample": name, "subject_id": subject, "visit_id": "base"}
        for name, subject in (("s1", "a"), ("s2", "a"), ("s3", "x"), ("s4", "b"))
    ]
    samples = frame(listed, sample=pl.String, subject_id=pl.String, visit_id=pl.String)
    staged = replace(EMPTY, subjects=subjects("a", "b"), samples=samples)
    assert [row[3] for row in found(visit_queries.samples_of_nobody(staged))] == ["s1", "s2", "s3"]


@pytest.mark.parametrize("rule", [
    clinical_queries.pain_differs, clinical_queries.straight_lining, clinical_queries.areas_against_pain,
    clinical_queries.items_against_the_trend, clinical_queries.criteria_at_baseline, visit_queries.dates_and_windows,
    visit_queries.baseline_after_dose, visit_queries.type_and_diagnosis, visit_queries.subjects_without_visits,
    visit_queries.missing_visits, visit_queries.samples_of_nobody,
])  # fmt: skip
def test_a_study_without_data_raises_nothing(rule) -> None:
    assert rule(EMPTY).is_empty()


def test_recorded_acr_sums_are_compared_with_the_areas(warehouse) -> None:
    from fm_platform.instruments.registry import load_instrument
    from fm_platform.validation.query_rows import queries_of_source

    made = warehouse(
        """
        study: {id: s, title: S}
        clinical:
          v: {path: v.csv, grain: visit, columns: {subject: id, visit: v}}
        visits: [{id: base, baseline: true}]
        instruments:
          - {use: acr2016, source: v, total: {wpi: wpi_tot, psd: psd_tot}}
        """
    )
    items = [item.id for item in load_instrument("acr2016").items if not item.optional]
    made.deliver_rows(
        "v",
        ["id", "v", *items, "wpi_tot", "psd_tot"],
        [["a", "base", *["1"] * len(items), "19", "25"], ["b", "base", *["1"] * len(items), "18", "26"]],
    )
    result = made.gate("v")
    asked = queries_of_source(made.con, made.view("v"), made.instruments, result.findings)
    assert found(asked) == [
        ("FM004", "b", "base", "wpi_tot", "18", "19.00"),
        ("FM005", "b", "base", "psd_tot", "26", "25.00"),
    ]
    assert {c.name: c.passed for c in result.checks if c.name.startswith("fm00") and "tot" not in c.name}[
        "fm004_acr2016_wpi"
    ] is False


@pytest.mark.parametrize("columns", [[f"q{n}" for n in range(1, 11)], [f"q{n}" for n in range(1, 21)],
                                     [f"fiq{n}" for n in range(1, 11)]])  # fmt: skip
def test_fm020_the_original_fiq_is_refused(warehouse, columns: list[str]) -> None:
    made = warehouse(
        """
        study: {id: s, title: S}
        clinical:
          v: {path: v.csv, grain: visit, columns: {subject: id, visit: v}}
        visits: [{id: base, baseline: true}]
        instruments: [{use: fiqr, source: v, items: "q{n}"}]
        """
    )
    with pytest.raises(InputError, match=r"v.csv:1.*the original FIQ .*FM020"):
        require_columns(made.study, made.instruments, "v", ["id", "v", *columns], file="v.csv")
