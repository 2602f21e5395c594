"""Make the synthetic demo study: six invented patients, eighteen visits, twelve invented neutrophil samples.

Belongs here: the numbers of the demo and how they are drawn. Nothing here is a measurement; only these
published marginals of Tang et al. 2023 (doi 10.3390/biomedicines11071774) are reproduced: two primary and
four secondary patients, pain lower by at least 30 % in four of six at week 4 and in three of six at week
12, FIQR and fibromyalgianess lower at both visits, and the layout of the samples (five FM and five healthy
at week 0, two FM again at week 12).

The same arguments give the same bytes: the legacy ``RandomState`` is used because its streams are frozen.

    python data/make_demo.py                           # writes data/demo
    python data/make_demo.py --genes 500 --out DIR     # a small study of the same shape, study.yaml included
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
DEMO = HERE / "demo"
HAND_WRITTEN = ("study.yaml", "README.md")
ORIGIN = "synthetic"
SEED = 20230621
GENES = 20_000
VISITS = ("baseline", "week_4", "week_12")
AREAS = (
    *("jaw_l", "jaw_r", "shoulder_girdle_l", "shoulder_girdle_r", "upper_arm_l", "upper_arm_r"),
    *("lower_arm_l", "lower_arm_r", "hip_l", "hip_r", "upper_leg_l", "upper_leg_r"),
    *("lower_leg_l", "lower_leg_r", "neck", "upper_back", "lower_back", "chest", "abdomen"),
)
SSS_ITEMS = ("fatigue", "unrefreshed", "cognitive", "headache", "abdominal_cramps", "depression")
PAIN, ENERGY, SLEEP = 12, 13, 15  # places of these items in the FIQR


@dataclass(frozen=True)
class Patient:
    """An invented patient. Tuples of three are the values at baseline, week 4 and week 12.

    ``level`` is where the FIQR items other than pain, energy and sleep lie; ``severity`` holds fatigue,
    unrefreshed sleep and cognition; ``somatic`` (headache, cramps, depression) looks back six months and
    stays.
    """

    subject: str
    fm_type: str
    sex: str
    age: int
    years: int
    diagnosis: str
    first_visit: dt.date
    days: tuple[int, int, int]
    pain: tuple[int, int, int]
    energy: tuple[int, int, int]
    sleep: tuple[int, int, int]
    level: tuple[float, float, float]
    areas: tuple[int, int, int]
    severity: tuple[str, str, str]
    somatic: str


PATIENTS = (
    Patient("SYN01", "primary", "female", 47, 6, "none", dt.date(2021, 3, 2), (0, 28, 84),
            (8, 5, 4), (9, 7, 6), (9, 6, 5), (7.0, 5.0, 4.2), (13, 9, 7), ("332", "221", "211"), "111"),
    Patient("SYN02", "primary", "female", 55, 11, "none", dt.date(2021, 3, 16), (0, 29, 86),
            (9, 6, 7), (8, 6, 7), (9, 7, 7), (7.5, 5.8, 6.3), (15, 11, 12), ("333", "222", "222"), "101"),
    Patient("SYN03", "secondary", "female", 61, 9, "rheumatoid arthritis", dt.date(2021, 4, 6), (0, 27, 83),
            (10, 7, 6), (9, 8, 7), (10, 7, 7), (8.0, 6.0, 5.4), (16, 12, 10), ("332", "222", "221"), "111"),
    Patient("SYN04", "secondary", "male", 39, 3, "axial spondyloarthritis", dt.date(2021, 4, 20), (0, 28, 85),
            (7, 3, 4), (8, 5, 5), (8, 6, 4), (6.2, 3.8, 3.6), (11, 6, 6), ("231", "121", "111"), "110"),
    Patient("SYN05", "secondary", "female", 52, 8, "rheumatoid arthritis", dt.date(2021, 5, 11), (0, 30, 84),
            (8, 7, 6), (7, 7, 6), (7, 6, 7), (6.5, 5.9, 5.2), (12, 10, 9), ("222", "221", "221"), "100"),
    Patient("SYN06", "secondary", "female", 44, 5, "psoriatic arthritis", dt.date(2021, 5, 25), (0, 28, 82),
            (6, 6, 5), (8, 7, 8), (8, 8, 7), (5.8, 5.2, 4.9), (10, 10, 8), ("221", "211", "121"), "011"),
)  # fmt: skip
SEQUENCED = ("SYN01", "SYN02", "SYN03", "SYN04", "SYN05")
SEQUENCED_AGAIN = ("SYN01", "SYN02")
HEALTHY = ("H01", "H02", "H03", "H04", "H05")


@dataclass(frozen=True)
class Sample:
    """An invented neutrophil sample and the matrix column that holds its counts."""

    sample: str
    column: str
    subject: str
    group: str
    week: int


def samples() -> list[Sample]:
    """The twelve samples, in the order of the matrix."""
    drawn = [
        *((subject, "fibromyalgia", 0) for subject in SEQUENCED),
        *((subject, "healthy", 0) for subject in HEALTHY),
        *((subject, "fibromyalgia", 12) for subject in SEQUENCED_AGAIN),
    ]
    return [
        Sample(f"{subject}_w{week:02d}", f"lib{number:02d}", subject, group, week)
        for number, (subject, group, week) in enumerate(drawn, start=1)
    ]


def participants() -> list[list[object]]:
    """One row a patient, under a header."""
    about = ("group", "fm_type", "sex", "age", "fm_duration_years", "concomitant_dx")
    header: list[object] = ["data_origin", "subject_id", *about]
    rows = [
        [ORIGIN, p.subject, "fibromyalgia", p.fm_type, p.sex, p.age, p.years, p.diagnosis] for p in PATIENTS
    ]
    return [header, *rows]


def visits(random: np.random.RandomState) -> list[list[object]]:
    """One row a patient and visit, under a header: FIQR items and total, painful areas, SSS items."""
    visit_columns = ("data_origin", "subject_id", "visit", "visit_date")
    fiqr_columns = (*(f"fiqr_q{number}" for number in range(1, 22)), "fiqr_tot")
    rows: list[list[object]] = [[*visit_columns, *fiqr_columns, *AREAS, *SSS_ITEMS, "duration_3_months"]]
    for patient in PATIENTS:
        leanings = random.randint(-2, 3, size=21)
        order = random.permutation(len(AREAS))
        for number, visit in enumerate(VISITS):
            items = fiqr_items(patient, number, leanings, random)
            total = f"{float(fiqr_total(items)):.2f}"
            painful = {AREAS[position] for position in order[: patient.areas[number]]}
            areas = [int(area in painful) for area in AREAS]
            symptoms = [int(digit) for digit in patient.severity[number] + patient.somatic]
            date = patient.first_visit + dt.timedelta(days=patient.days[number])
            rows.append(
                [ORIGIN, patient.subject, visit, date.isoformat(), *items, total, *areas, *symptoms, 1]
            )
    return rows


def fiqr_items(
    patient: Patient, number: int, leanings: np.ndarray, random: np.random.RandomState
) -> list[int]:
    """The 21 answers (0 to 10) of one visit; a patient's leanings towards an item hold at every visit."""
    wobble = random.randint(-1, 2, size=21)
    items = [round(min(10.0, max(0.0, patient.level[number] + lean))) for lean in leanings + 0.5 * wobble]
    items[PAIN - 1] = patient.pain[number]
    items[ENERGY - 1] = patient.energy[number]
    items[SLEEP - 1] = patient.sleep[number]
    return items


def fiqr_total(items: Sequence[int]) -> Fraction:
    """Function / 3 + overall + symptoms / 2, from 0 to 100 (Bennett 2009, doi 10.1186/ar2783)."""
    return Fraction(sum(items[:9]), 3) + sum(items[9:11]) + Fraction(sum(items[11:]), 2)


def sample_sheet() -> list[list[object]]:
    """One row a sample, under a header."""
    header: list[object] = ["data_origin", "sample_id", "count_column", "subject", "group", "week", "visit"]
    visit_of = {0: "baseline", 12: "week_12"}
    rows = [[ORIGIN, s.sample, s.column, s.subject, s.group, s.week, visit_of[s.week]] for s in samples()]
    return [header, *rows]


def expression(genes: int, random: np.random.RandomState) -> tuple[list[list[object]], list[list[object]]]:
    """The count matrix and the effects that were put into it, each under a header.

    Means are log-normal with three genes in ten hardly expressed; libraries hold 15 to 30 million reads for
    20,000 genes; counts are negative binomial with dispersion 0.04 + 2.5 / mean, log-normally scattered
    around that trend; each subject has gene levels of its own (standard deviation 0.15 on the log2 scale).
    About 150 of 20,000 genes differ in FM, and half of those move back by 70 % at week 12.
    """
    design = samples()
    log2_mean = np.where(random.random_sample(genes) < 0.3, -1.5, 7.5) + 2.0 * random.standard_normal(genes)
    share = np.exp2(log2_mean) / np.exp2(log2_mean).sum()
    library = random.uniform(15e6, 30e6, size=len(design)) * genes / GENES
    mean = share * library.mean()
    scatter = np.exp(0.5 * random.standard_normal(genes))
    dispersion = np.minimum(10.0, (0.04 + 2.5 / np.maximum(mean, 1e-3)) * scatter)
    differing = np.sort(random.permutation(np.flatnonzero(mean > 50))[: max(10, round(150 * genes / GENES))])
    effect, back = np.zeros(genes), np.zeros(genes)
    sign = np.where(random.random_sample(differing.size) < 0.5, -1.0, 1.0)
    effect[differing] = np.round(sign * random.uniform(0.8, 2.5, size=differing.size), 2)
    back[differing[::2]] = np.round(-0.7 * effect[differing[::2]], 2)
    own = {s.subject: 0.15 * random.standard_normal(genes) for s in design if s.week == 0}

    columns = []
    for sample, size in zip(design, library, strict=True):
        shift = own[sample.subject] + effect * (sample.group == "fibromyalgia") + back * (sample.week == 12)
        rate = random.standard_gamma(1 / dispersion) * dispersion * share * size * np.exp2(shift)
        columns.append(random.poisson(rate))
    names = [f"SYNG{number:05d}" for number in range(1, genes + 1)]
    matrix: list[list[object]] = [["synthetic_gene_id", *(sample.column for sample in design)]]
    matrix += [[name, *row] for name, row in zip(names, np.stack(columns, axis=1).tolist(), strict=True)]
    effects = ("log2_fm_vs_healthy", "log2_week_12_vs_0")
    truth: list[list[object]] = [["data_origin", "synthetic_gene_id", *effects]]
    truth += [[ORIGIN, names[gene], f"{effect[gene]:.2f}", f"{back[gene]:.2f}"] for gene in differing]
    return matrix, truth


def make(out: Path, genes: int = GENES) -> None:
    """Write the whole study folder."""
    random = np.random.RandomState(SEED)
    write(out / "clinical" / "participants.csv", participants())
    write(out / "clinical" / "visits.csv", visits(random))
    matrix, truth = expression(genes, random)
    write(out / "rnaseq" / "samples.csv", sample_sheet())
    write(out / "rnaseq" / "counts.csv", matrix)
    write(out / "rnaseq" / "simulated_truth.csv", truth)
    if out.resolve() != DEMO:
        for name in HAND_WRITTEN:
            shutil.copyfile(DEMO / name, out / name)


def write(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV with plain line ends, whatever the system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows(rows)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Make the synthetic demo study.")
    parser.add_argument("--genes", type=int, default=GENES, help="number of invented genes (default 20000)")
    parser.add_argument("--out", type=Path, default=DEMO, help="study folder to write (default data/demo)")
    arguments = parser.parse_args()
    if arguments.genes < 100:
        parser.error("--genes must be at least 100")
    make(arguments.out, arguments.genes)
    print(f"wrote a synthetic study with {arguments.genes} genes to {arguments.out}")


if __name__ == "__main__":
    main()
