"""The clinical half as CSV: accepted delivered values with file and line, what study.yaml and the instruments say.

Belongs here: the frames of ``inputs/`` for scores, change, response and description. Does not belong here: counts and
contrasts (``expression``).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from fm_platform.catalog.graph import Catalog
from fm_platform.instruments.mapping import columns_of
from fm_platform.instruments.model import Instrument, Score
from fm_platform.instruments.recorded import NOTE
from fm_platform.statistics import sample_size
from fm_platform.statistics.planning import important_differences
from fm_platform.study.clinical import InstrumentUse
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.roles import label_columns, subject_role
from fm_platform.warehouse.names import relation
from fm_platform.warehouse.reader import Published

_TEXT = pl.String


def clinical_inputs(catalog: Catalog, published: Published, there: set[str]) -> dict[str, pl.DataFrame]:
    """The input frames of the clinical half, by name; subjects under their own ids.

    Args:
        catalog: The study's catalog.
        published: The open publication.
        there: Its tables.
    """
    if "marts.participants" not in there:
        return {}
    places = {source: _places(catalog, published, source) for source in catalog.study.clinical}
    frames = {
        "parameters": _parameters(catalog),
        "outcomes": _table(published, "study.outcomes"),
        "visits": _table(published, "study.visits"),
        "responders": _table(published, "study.responders"),
        "levels": _levels(catalog),
        "participants": _participants(catalog, published, places),
        "measures": _measures(published, places),
        "answers": _answers(catalog, published, places),
        "visits_given": _visits_given(catalog, published, places),
        "recorded_scores": _recorded(published),
        "delivered_rows": _delivered(catalog, published, there),
        "important_differences": _important(catalog, published),
        **_instruments(catalog),
    }
    return {name: frame for name, frame in frames.items() if frame.height}


def _table(published: Published, table: str) -> pl.DataFrame:
    frame = published.query(f"SELECT * FROM {relation(table, 'warehouse')}")
    return frame.select([name for name in frame.columns if not name.startswith("_")])


def _parameters(catalog: Catalog) -> pl.DataFrame:
    study = catalog.study
    by_arm = study.strata is not None and subject_role(study, study.strata) == "arm"
    rows = [
        ("study", study.study.id),
        ("data_origin", "synthetic" if study.study.synthetic else "study files"),
        ("strata", study.strata),
        ("strata_are_arms", str(by_arm).lower()),
        ("reference_arm", study.reference_arm),
        ("simulations", str(sample_size.SIMULATIONS)),
        ("seed", str(sample_size.SEED)),
    ]
    return pl.DataFrame(rows, schema={"name": _TEXT, "value": _TEXT}, orient="row")


def _levels(catalog: Catalog) -> pl.DataFrame:
    """Levels of sex, arm and site in the order in which study.yaml labels them."""
    rows = [
        (role, level, label)
        for role in ("sex", "arm", "site")
        for column in label_columns(catalog.study, role)
        for level, label in catalog.study.labels.get(column, {}).items()
    ]
    return pl.DataFrame(rows, schema={"variable": _TEXT, "level": _TEXT, "label": _TEXT}, orient="row")


def _places(catalog: Catalog, published: Published, source: str) -> pl.DataFrame:
    """subject_id, visit_id, file and line of every delivered row of a source that no rule set aside."""
    view = RawSource(
        catalog.study,
        declared_columns(catalog.study, catalog.instruments),
        source,
        lambda table: relation(table, "warehouse"),
    )
    return published.query(
        f"""SELECT k.subject_id, k.visit_id, min(s.path) AS file, min(s.line) AS line
FROM ({view.keys}) AS k
JOIN audit.source_rows AS s ON s.source = ? AND s._row_id = k._row_id
WHERE k.subject_id IS NOT NULL AND k._row_id NOT IN (
    SELECT _row_id FROM {relation(f"quarantine.{source}", "warehouse")} WHERE scope = 'row')
GROUP BY ALL ORDER BY ALL""",
        [source],
    )


def _participants(catalog: Catalog, published: Published, places: dict[str, pl.DataFrame]) -> pl.DataFrame:
    people = _table(published, "marts.participants").drop("n_visits", strict=False)
    people = people.with_columns(pl.col("age").cast(_TEXT).str.strip_chars_end("0").str.strip_chars_end("."))
    own = [name for name, source in catalog.study.clinical.items() if not source.by_visit]
    if not own:
        return people
    found = places[own[0]].unique("subject_id", keep="first", maintain_order=True)
    return people.join(found.drop("visit_id"), on="subject_id", how="left")


def _measures(published: Published, places: dict[str, pl.DataFrame]) -> pl.DataFrame:
    rows = published.query(
        "SELECT m.variable, m.subject_id, m.visit_id, CAST(CAST(m.value AS DECIMAL(38, 6)) AS VARCHAR) AS value "
        "FROM staging.stg_measures AS m JOIN study.outcomes AS o ON o.variable = m.variable WHERE m.value IS NOT NULL "
        "ORDER BY ALL"
    )
    parts = [
        _placed(part, places.get(str(variable).partition(".")[0]))
        for (variable,), part in rows.partition_by("variable", as_dict=True).items()
    ]
    return pl.concat(parts) if parts else rows


def _placed(rows: pl.DataFrame, places: pl.DataFrame | None) -> pl.DataFrame:
    """Rows with the file and line of their subject and visit."""
    if places is None:
        return rows.with_columns(file=pl.lit(None, _TEXT), line=pl.lit(None, pl.Int64))
    found = places.unique(["subject_id", "visit_id"], keep="first", maintain_order=True)
    found = found.with_columns(pl.col("line").cast(pl.Int64))
    return rows.join(found, on=["subject_id", "visit_id"], how="left", maintain_order="left")


def _computed(catalog: Catalog) -> Iterator[tuple[InstrumentUse, Instrument]]:
    """The instruments whose items were delivered."""
    for use, instrument in zip(catalog.study.instruments, catalog.instruments, strict=True):
        if not use.recorded_only:
            yield use, instrument


def _answers(catalog: Catalog, published: Published, places: dict[str, pl.DataFrame]) -> pl.DataFrame:
    rows = published.query(
        "SELECT instrument, subject_id, visit_id, item, answer FROM staging.stg_answers ORDER BY ALL"
    )
    own = [
        _placed(rows.filter(pl.col("instrument") == instrument.id), places.get(use.source))
        for use, instrument in _computed(catalog)
    ]
    return pl.concat(own) if own else rows.clear()


def _visits_given(catalog: Catalog, published: Published, places: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """For each instrument the visits at which its source has a row, and whether they took place."""
    sql = """SELECT ? AS instrument, v.subject_id, v.visit_id, v.missing_reason IS NULL AS took_place
FROM staging.stg_visits AS v
WHERE v.source = ? AND (v.missing_reason IS NULL OR EXISTS (SELECT 1 FROM staging.stg_answers AS a
    WHERE a.subject_id = v.subject_id AND a.visit_id = v.visit_id))
ORDER BY ALL"""
    frames = [
        _placed(published.query(sql, [instrument.id, use.source]), places.get(use.source))
        for use, instrument in _computed(catalog)
    ]
    return pl.concat(frames) if frames else pl.DataFrame()


def _recorded(published: Published) -> pl.DataFrame:
    """Scores that were delivered as totals, without answers."""
    return published.query(
        "SELECT score_id, subject_id, visit_id, value_exact, value_scale FROM staging.stg_instrument_scores "
        "WHERE note = ? AND value_exact IS NOT NULL ORDER BY ALL",
        [NOTE],
    )


def _delivered(catalog: Catalog, published: Published, there: set[str]) -> pl.DataFrame:
    """Every delivered row of the clinical sources, and what the gate did with it."""
    frames = []
    for source in catalog.study.clinical:
        raw, aside = (f"{schema}.{source}" for schema in ("raw", "quarantine"))
        if raw not in there or aside not in there:
            continue
        frames.append(
            published.query(
                f"""SELECT ? AS source, min(s.path) AS file, min(s.line) AS line,
    coalesce(bool_or(q.scope = 'row'), false) AS set_aside,
    count(DISTINCT q."column") FILTER (q.scope = 'cell') AS cells_emptied
FROM {relation(raw, "warehouse")} AS r
LEFT JOIN audit.source_rows AS s ON s.source = ? AND s._row_id = r._row_id
LEFT JOIN {relation(aside, "warehouse")} AS q ON q._row_id = r._row_id
GROUP BY r._row_id ORDER BY ALL""",
                [source, source],
            )
        )
    return pl.concat(frames) if frames else pl.DataFrame()


def _instruments(catalog: Catalog) -> dict[str, pl.DataFrame]:
    """Items, scores, their members, and responder definitions over several scores."""
    items, scores, members, composites = [], [], [], []
    for use, instrument in zip(catalog.study.instruments, catalog.instruments, strict=True):
        asked = {} if use.recorded_only else columns_of(use, instrument, study=catalog.study)
        if not use.recorded_only:
            items += [
                (instrument.id, item.id, item.domain, item.min, item.max, item.optional, item.id in asked)
                for item in instrument.items
            ]
        scores += [_score(instrument, score) for score in instrument.scores]
        members += [row for score in instrument.scores for row in _members(instrument, score)]
        composites += list(_composites(instrument))
    return {
        "items": pl.DataFrame(
            items,
            schema=["instrument", "item", "domain", "min", "max", "optional", "asked"],
            orient="row",
        ),
        "scores": pl.DataFrame(
            scores,
            schema=["instrument", "score_id", "label", "rule", "weight", "missing", "min_answered", "better"],
            orient="row",
        ),
        "score_members": pl.DataFrame(members, schema=["score_id", "group", "member"], orient="row"),
        "composites": pl.DataFrame(
            composites,
            schema=["responder", "label", "criterion", "score_id", "reduction_percent", "at_least", "better"],
            orient="row",
        ),
    }


def _score(instrument: Instrument, score: Score) -> tuple[str, ...]:
    name = f"{instrument.id}.{score.id}"
    rest = (str(score.weight), score.missing, str(score.min_answered), score.better)
    return (instrument.id, name, score.label, score.rule, *rest)


def _members(instrument: Instrument, score: Score) -> Iterator[tuple[str, str, str]]:
    name = f"{instrument.id}.{score.id}"
    if score.rule == "total":
        yield from ((name, "", part) for part in score.of)
    elif score.rule == "groups":
        yield from ((name, group, item) for group, items in score.groups.items() for item in items)
    else:
        yield from ((name, "", item) for item in instrument.items_of(score))


def _composites(instrument: Instrument) -> Iterator[tuple[str, str, int, str, int, int, str]]:
    for composite in instrument.composites:
        for place, criterion in enumerate(composite.criteria, start=1):
            for score in criterion.scores:
                yield (
                    f"{instrument.id}.{composite.id}",
                    composite.label,
                    place,
                    f"{instrument.id}.{score}",
                    criterion.reduction_percent,
                    criterion.at_least,
                    instrument.score(score).better,
                )


def _important(catalog: Catalog, published: Published) -> pl.DataFrame:
    """Published minimal important differences of the outcomes' scores."""
    rows = [
        (score, words, unit, value)
        for score in published.query("SELECT score_id FROM study.outcomes ORDER BY position")["score_id"]
        for words, unit, value in important_differences(score, catalog.instruments)
    ]
    return pl.DataFrame(rows, schema=["score_id", "words", "unit", "value"], orient="row")
