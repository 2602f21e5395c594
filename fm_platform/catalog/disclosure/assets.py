"""The ``privacy.*`` tables: k-anonymity of the declared quasi-identifiers, and pseudonymized copies.

Belongs here: where quasi-identifiers are found, inputs, lineage and checks. Does not belong here: classes,
bands and pseudonyms themselves (``assets``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, columns, constants
from fm_platform.instruments.model import Instrument
from fm_platform.lineage.code import CodeVersion, code_version
from fm_platform.privacy.k_anonymity import banded, equivalence_classes, refusal, suggested_banding, summary
from fm_platform.privacy.pseudonyms import key_id, pseudonym_key, pseudonyms
from fm_platform.study.model import Study
from fm_platform.validation.columns import declared_columns
from fm_platform.warehouse.records import CheckDeclaration, CheckOutcome, ColumnInput
from fm_platform.warehouse.table import direct, indirect

PEOPLE, SCORES, SCHEDULE = "marts.participants", "marts.symptom_scores", "staging.stg_visit_schedule"
CLASSES, SUMMARY = "privacy.equivalence_classes", "privacy.k_anonymity"
ANONYMOUS = CheckDeclaration(
    "quasi_identifiers_are_shared",
    False,
    "each combination of quasi-identifiers is shared by k subjects or more",
)
_OF_PARTICIPANTS = ("sex", "age", "arm", "site")
Found = dict[str, tuple[str, str]]
"""Quasi-identifier to its table and column."""

_DECLARED = "stands under `privacy:` in study.yaml"

CLASS_COLUMNS = columns(
    banding="How numbers are coarsened",
    combination="The values that the subjects of this class share",
    n="Subjects of the class",
    below_k="Whether that is fewer than k",
)
SUMMARY_COLUMNS = columns(
    banding="How numbers are coarsened",
    position="Order, finest first",
    quasi_identifiers="The columns that are combined",
    k_required="Smallest acceptable class",
    k_achieved="Smallest class",
    n_subjects="Subjects",
    n_classes="Combinations that occur",
    n_below_k="Subjects in classes smaller than k",
    passes="Whether every class is large enough",
    suggested="Whether this is the finest banding that passes",
)
SUBJECT_COLUMNS = columns(
    pseudonym="Keyed pseudonym",
    sex="Sex",
    age_band="Age in the finest banding that is k-anonymous, in bands of ten where none is; 90+ is one",
    arm="Arm",
    stratum="Stratum",
    in_population="Whether the subject counts in denominators",
)
SCORE_COLUMNS = columns(
    pseudonym="Keyed pseudonym",
    visit_id="The planned visit",
    study_day="Day in the study, in place of the date",
    outcome_id="The outcome",
    value="The value",
)


def privacy_assets(study: Study, instruments: Sequence[Instrument]) -> list[Asset]:
    """What ``privacy:`` in study.yaml asks for.

    Raises:
        InputError: A quasi-identifier that no source with one row a subject has.
    """
    found = quasi_identifiers(study, instruments)
    assets = [_classes(found), _summary(found)] if found else []
    return [*assets, *([_subjects(bool(found)), _scores()] if study.privacy.pseudonyms else [])]


def quasi_identifiers(study: Study, instruments: Sequence[Instrument]) -> Found:
    """Where each declared quasi-identifier is.

    A name is an attribute of ``marts.participants``, the strata column, or a role of a source with one row a
    subject.
    """
    declared = declared_columns(study, instruments) if study.privacy.quasi_identifiers else ()
    found: Found = {}
    for index, name in enumerate(study.privacy.quasi_identifiers):
        held = [
            entry
            for entry in declared
            if entry.kind == "attribute" and name in (entry.role, entry.column)
            if study.clinical[entry.source].grain == "subject"
        ]
        if name in _OF_PARTICIPANTS or name == study.strata:
            found[name] = (PEOPLE, "stratum" if name == study.strata else name)
        elif held:
            found[name] = (f"staging.{held[0].source}", held[0].column)
        else:
            raise study.error(
                f"privacy: no subject attribute {name!r}",
                "privacy",
                "quasi_identifiers",
                index,
                mend="give it a role under `columns:` of a source with one row a subject",
            )
    return found


def _inputs(found: Found) -> tuple[ColumnInput, ...]:
    return tuple(entry for table, column in found.values() for entry in direct(table, column, how="GROUP_BY"))


def _classes(found: Found) -> Asset:
    lineage = (*_inputs(found), *indirect(PEOPLE, "subject_id"))
    return Asset(
        table=CLASSES,
        description="How many subjects share each combination of the declared quasi-identifiers, by banding.",
        group="privacy",
        kinds=("polars", "duckdb"),
        half="clinical",
        inputs=tuple(dict.fromkeys([PEOPLE, *(table for table, _ in found.values())])),
        key=("banding", "combination"),
        study_keys=("privacy", "clinical", "strata"),
        code_version=code_version(build_classes),
        build=partial(build_classes, found=found),
        lineage={column.name: () if column.name == "banding" else lineage for column in CLASS_COLUMNS},
        columns=constants(
            CLASS_COLUMNS, banding="the ways to coarsen numbers are listed in the platform's code"
        ),
    )


def build_classes(step: Step, found: Found) -> Built:
    """``privacy.equivalence_classes``."""
    people = step.read(PEOPLE).select("subject_id")
    for name, (table, column) in found.items():
        values = step.read(table).select("subject_id", pl.col(column).alias(name))
        people = people.join(values, on="subject_id", how="left")
    return Built(rows=equivalence_classes(people, tuple(found), step.study.privacy.k))


def _summary(found: Found) -> Asset:
    counted = direct(CLASSES, "n", "below_k", how="AGGREGATION")
    own = {"banding": direct(CLASSES, "banding", how="GROUP_BY"), "position": direct(CLASSES, "banding")}
    constant = {"quasi_identifiers": (), "k_required": ()}
    return Asset(
        table=SUMMARY,
        description="k-anonymity of the declared quasi-identifiers, and the finest banding that would pass.",
        group="privacy",
        kinds=("polars", "duckdb"),
        half="clinical",
        inputs=(CLASSES,),
        key=("banding",),
        study_keys=("privacy",),
        checks=(ANONYMOUS,),
        code_version=code_version(build_summary),
        build=partial(build_summary, names=tuple(found)),
        lineage={column.name: {**own, **constant}.get(column.name, counted) for column in SUMMARY_COLUMNS},
        columns=constants(SUMMARY_COLUMNS, quasi_identifiers=_DECLARED, k_required=_DECLARED),
    )


def build_summary(step: Step, names: tuple[str, ...]) -> Built:
    """``privacy.k_anonymity``."""
    rows = summary(step.read(CLASSES), names, step.study.privacy.k)
    reason = refusal(rows)
    outcome = CheckOutcome(
        ANONYMOUS.name,
        passed=reason is None,
        blocking=ANONYMOUS.blocking,
        severity="WARN",
        description=ANONYMOUS.description,
        metadata={"k": step.study.privacy.k, "reason": reason or "none"},
    )
    return Built(rows=rows, checks=lambda: [outcome])


def _subjects(with_bands: bool) -> Asset:
    pseudonym = direct(PEOPLE, "subject_id", how="PSEUDONYM")
    return Asset(
        table="privacy.subjects",
        description="Subjects under keyed pseudonyms, ages in bands, no site.",
        group="privacy",
        kinds=("polars", "duckdb"),
        half="clinical",
        inputs=(PEOPLE, *((SUMMARY,) if with_bands else ())),
        key=("pseudonym",),
        study_keys=("privacy", "study"),
        code_version=_keyed(code_version(build_subjects)),
        build=partial(build_subjects, with_bands=with_bands),
        lineage={
            "pseudonym": pseudonym,
            "age_band": direct(PEOPLE, "age"),
            **{
                name: direct(PEOPLE, name, how="IDENTITY")
                for name in ("sex", "arm", "stratum", "in_population")
            },
        },
        columns=SUBJECT_COLUMNS,
    )


def build_subjects(step: Step, with_bands: bool) -> Built:
    """``privacy.subjects``."""
    people = step.read(PEOPLE)
    banding = suggested_banding(step.read(SUMMARY) if with_bands else None)
    rows = people.select(
        _pseudonyms(step, people["subject_id"]).alias("pseudonym"),
        "sex",
        banded(people["age"], banding).alias("age_band"),
        "arm",
        "stratum",
        "in_population",
    )
    return Built(rows=rows.sort("pseudonym"))


def _keyed(version: CodeVersion) -> CodeVersion:
    """A version that changes with the key of the pseudonyms."""
    return version.as_part_of(version + key_id())


def _scores() -> Asset:
    return Asset(
        table="privacy.scores",
        description="Outcome values under keyed pseudonyms, with study days in place of dates.",
        group="privacy",
        kinds=("polars", "duckdb"),
        half="clinical",
        inputs=(SCORES, SCHEDULE),
        key=("pseudonym", "visit_id", "outcome_id"),
        study_keys=("privacy", "study"),
        code_version=_keyed(code_version(build_scores)),
        build=build_scores,
        lineage={
            "pseudonym": direct(SCORES, "subject_id", how="PSEUDONYM"),
            "study_day": direct(SCHEDULE, "study_day", how="IDENTITY"),
            **{name: direct(SCORES, name, how="IDENTITY") for name in ("visit_id", "outcome_id", "value")},
        },
        columns=SCORE_COLUMNS,
    )


def build_scores(step: Step) -> Built:
    """``privacy.scores``."""
    days = step.read(SCHEDULE).select("subject_id", "visit_id", "study_day")
    rows = step.read(SCORES).join(days, on=["subject_id", "visit_id"], how="left", maintain_order="left")
    return Built(
        rows=rows.select(
            _pseudonyms(step, rows["subject_id"]).alias("pseudonym"),
            "visit_id",
            "study_day",
            "outcome_id",
            "value",
        ).sort("pseudonym", "visit_id", "outcome_id")
    )


def _pseudonyms(step: Step, subjects: pl.Series) -> pl.Series:
    made = pseudonyms(pseudonym_key(), step.study.study.id, subjects.unique().to_list())
    return subjects.replace_strict(made, return_dtype=pl.String)
