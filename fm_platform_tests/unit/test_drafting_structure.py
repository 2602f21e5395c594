"""Drafts from exports in any language: structure first, names second."""

from __future__ import annotations

import random

import pytest

from fm_platform.drafting.exports import draft_study
from fm_platform.drafting.structure import usual_scale
from fm_platform.drafting.words import is_named
from fm_platform.study.loading import load_study


def write(
    path, header: str, *, comma: bool = False, dotted: bool = True, name=lambda n: f"P{n:02}", gap="k.A."
):
    """An invented export: 6 people at 3 visits, one value missing, birth dates, a constant height and a remark."""
    made = random.Random(1)
    lines = [header]
    for n in range(1, 7):
        birth = f"1{n}.03.196{n}" if dotted else f"196{n}-03-1{n}"
        for at, visit in enumerate(("V1", "V2", "V3"), start=1):
            day = f"{10 + n}.0{at}.2023" if dotted else f"2023-0{at}-{10 + n}"
            pain = f"{made.randrange(300, 900) / 10:.1f}"
            score = gap if (n, at) == (3, 2) else str(made.randrange(20, 80))
            height = f"16{n}.5"
            if comma:
                pain, height = pain.replace(".", ","), height.replace(".", ",")
            lines.append(
                ";".join([name(n), "m" if n % 2 else "f", birth, height, visit, day, pain, score, ""])
            )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


HEADERS = {
    "German": "Proband;Geschlecht;Geburtsdatum;Größe;Besuch;Besuchsdatum;Schmerz VAS;Summe;Bemerkung",
    "French": "Patient n°;Sexe;Date de naissance;Taille;Visite;Date de visite;Douleur EVA;Total;Remarque",
    "Spanish": "Paciente;Sexo;Fecha de nacimiento;Talla;Visita;Fecha de visita;Dolor EVA;Total;Notas",
    "Italian": "Codice paziente;Sesso;Data di nascita;Altezza;Visita;Data visita;Dolore VAS;Totale;Note",
    "Polish": "Nr pacjenta;Płeć;Data urodzenia;Wzrost;Wizyta;Data wizyty;Ból VAS;Suma;Uwagi",
    "Portuguese": "Participante;Sexo;Data de nascimento;Altura;Visita;Data da visita;Dor EVA;Total;Notas",
    "Dutch": "Deelnemer;Geslacht;Geboortedatum;Lengte;Bezoek;Datum bezoek;Pijn VAS;Totaal;Opmerking",
    "Chinese": "患者编号;性别;出生日期;身高;访视;访视日期;疼痛评分;总分;备注",
}


@pytest.mark.parametrize("language", HEADERS)
def test_people_visits_dates_and_outcomes_are_found_in_any_language(tmp_path, language):
    names = HEADERS[language].split(";")
    export = write(tmp_path / "e.csv", HEADERS[language], comma=language != "Chinese")
    draft_study(tmp_path / "new", export)
    study = load_study(tmp_path / "new")
    source = study.clinical["visits"]
    assert (source.columns["subject"], source.role("visit"), source.role("date")) == (
        (names[0],),
        names[4],
        names[5],
    )
    assert source.role("sex") == names[1]
    assert (source.grain, source.dates, source.missing) == ("visit", "dmy", ("", "k.A."))
    assert source.decimal == ("comma" if language != "Chinese" else None)
    assert {outcome.column: outcome.range for outcome in study.outcomes} == {
        f"visits.{names[6]}": (0, 100),
        f"visits.{names[7]}": (0, 100),
    }
    assert [visit.found_as for visit in study.visits] == [("V1",), ("V2",), ("V3",)]
    assert [responder.outcome for responder in study.responders] == [study.outcomes[0].id]


@pytest.mark.parametrize("name", [lambda n: f"P{n:02}", lambda n: str(100 + n)])
def test_structure_finds_the_key_without_a_name(tmp_path, name):
    header = "aa;bb;cc;dd;ee;ff;gg;hh;ii"
    draft_study(tmp_path / "new", write(tmp_path / "e.csv", header, dotted=False, name=name))
    source = load_study(tmp_path / "new").clinical["visits"]
    assert (source.columns["subject"], source.role("visit"), source.role("date")) == (("aa",), "ee", "ff")


def test_ids_that_repeat_are_no_ids_of_rows(tmp_path):
    header = "Record ID;x;born;height;occasion;seen on;pain;score;note"
    draft_study(tmp_path / "new", write(tmp_path / "e.csv", header))
    source = load_study(tmp_path / "new").clinical["visits"]
    assert (source.grain, source.role("visit"), source.role("date")) == ("visit", "occasion", "seen on")


@pytest.mark.parametrize(
    ("heading", "role"),
    [
        ("Patienten-Nr", "subject"),
        ("Visitendatum", "visit"),
        ("Visitendatum", "date"),
        ("Płeć", "sex"),
        ("DofB", "birth"),
    ],
)
def test_headings_have_words(heading, role):
    assert is_named(heading, role)


@pytest.mark.parametrize(
    ("heading", "role"), [("Visite", "site"), ("Dosage", "age"), ("Summe", "sex"), ("update", "date")]
)
def test_words_are_not_found_within_others(heading, role):
    assert not is_named(heading, role)


def test_a_range_is_a_usual_one_and_not_what_was_seen():
    assert [usual_scale(*seen) for seen in ((2, 7), (38, 71), (0, 100.5), (-3, 8))] == [
        (0, 10), (0, 100), (0, 1000), (-10, 10)
    ]  # fmt: skip


def export_of(days, texts, visits=("1", "2", "EOT")):
    """Five people at three visits, their days written in one way, some scores as texts."""
    lines = ["Patient,Visit,Date,Pain VAS"]
    for n in range(1, 6):
        for at, (visit, day) in enumerate(zip(visits, days, strict=True)):
            score = texts.get((n, at), str(10 * n + at))
            lines.append(f'P{n},{visit},"{day}",{score}')
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "days",
    [
        ("20240103", "20240131", "20240328"),
        ("03-Jan-2024", "31JAN2024", "28-Mar-2024"),
        ("January 3, 2024", "January 31, 2024", "March 28, 2024"),
        ("3. Januar 2024", "31. Jan. 2024", "28. März 2024"),
    ],
)
def test_days_in_one_number_or_with_a_months_name_are_dates(tmp_path, days):
    path = tmp_path / "export.csv"
    path.write_text(export_of(days, {}), encoding="utf-8")
    draft_study(tmp_path / "new", path)
    study = load_study(tmp_path / "new")
    assert study.clinical["visits"].role("date") == "Date"
    assert [outcome.column for outcome in study.outcomes] == ["visits.Pain VAS"]


def test_what_a_site_writes_for_no_score_is_guessed_where_it_repeats_and_never_a_visit(tmp_path):
    path = tmp_path / "export.csv"
    texts = {(1, 1): "geweigerd", (4, 2): "geweigerd", (5, 0): "1O"}
    path.write_text(export_of(("2024-01-03", "2024-01-31", "2024-03-28"), texts), encoding="utf-8")
    draft_study(tmp_path / "new", path)
    study = load_study(tmp_path / "new")
    source = study.clinical["visits"]
    assert set(source.missing) == {"", "geweigerd"}
    assert [visit.found_as for visit in study.visits] == [("1",), ("2",), ("EOT",)]
    assert [outcome.column for outcome in study.outcomes] == ["visits.Pain VAS"]
