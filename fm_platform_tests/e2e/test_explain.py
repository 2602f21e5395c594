"""``fm explain``: from a number in a report to the delivered lines it was computed from."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
import shlex
from fractions import Fraction

import duckdb
import pytest

from fm_platform.lineage.explain.explanation import Explanation, explain_row
from fm_platform.lineage.links.book import LinkBook
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.reader import open_published
from fm_platform_tests.e2e.conftest import Workspace
from fm_platform_tests.e2e.soak import SOAK


def explained(workspace: Workspace, *arguments: str) -> dict:
    outcome = workspace.fm("explain", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_a_p_value_leads_to_the_twelve_visits_it_was_computed_from(refreshed):
    where = ["--where", "outcome=fiqr_total", "--where", "visit=week_12", "--where", "stratum="]
    found = explained(refreshed, "report.symptom_change", *where, "--column", "p_value")
    assert found["value"] == 0.03125
    assert "signed-rank" in found["method"]
    assert len(found["rows"]) == 12
    content = (refreshed.study / "clinical/visits.csv").read_bytes()
    lines = content.decode().splitlines()
    for row in found["rows"]:
        assert row["path"] == "clinical/visits.csv"
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        cells = dict(zip(lines[0].split(","), lines[row["line"] - 1].split(","), strict=True))
        assert cells["visit"] in ("baseline", "week_12")
    assert all(check["passed"] for check in found["checks"])
    assert {"quarantine.visits", "marts.symptom_scores"} <= {check["table_name"] for check in found["checks"]}
    text = refreshed.fm("explain", "report.symptom_change", *where, "--column", "p_value").out
    assert text.count("clinical/visits.csv:") == 12
    assert text.startswith("SYNTHETIC DATA")


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["report.responders", "--where", "responder=pain30", "--where", "visit=week_4", "--where", "stratum=primary"],
         {"clinical/visits.csv": 4, "clinical/participants.csv": 2}),
        (["report.top_genes", "--where", "contrast=fm_vs_healthy", "--where", "rank=1", "--column", "padj"],
         {"rnaseq/counts.csv": 1, "rnaseq/samples.csv": 10}),
        (["staging.stg_subjects", "--where", "subject_id=SYN03"], {"clinical/participants.csv": 1}),
    ],
)  # fmt: skip
def test_every_kind_of_number_ends_at_lines_of_kept_files(refreshed, arguments, files):
    found = explained(refreshed, *arguments)
    counted = {
        path: sum(row["path"] == path for row in found["rows"]) for path in {r["path"] for r in found["rows"]}
    }
    assert counted == files
    for row in found["rows"]:
        kept = refreshed.home / "sources" / f"{row['sha256']}.gz"
        assert hashlib.sha256(gzip.decompress(kept.read_bytes())).hexdigest() == row["sha256"]


def test_several_matches_are_listed_as_commands(refreshed):
    outcome = refreshed.fm(
        "explain", "report.symptom_change", "--where", "outcome=pain", "--column", "p_value"
    )
    assert outcome.code == 2
    assert "--where outcome=pain --where visit=week_4 --where stratum=secondary" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["report.nothing"], "report.symptom_change"),
        (["report.responders", "--column", "rat"], "rate"),
        (["report.responders", "--where", "responder=pain99"], "responder is pain30, pain50"),
        (["report.responders", "--where", "responder"], "NAME=VALUE"),
    ],
)
def test_a_wrong_question_is_refused_with_what_there_is(refreshed, arguments, word):
    outcome = refreshed.fm("explain", *arguments)
    assert outcome.code == 2
    assert word in outcome.err


def test_many_rows_are_counted_by_file_and_the_first_are_listed(refreshed):
    asked = ["expression.contrasts", "--where", "contrast=fm_vs_healthy", "--column", "n_down"]
    genes = len((refreshed.study / "rnaseq/counts.csv").read_text().splitlines()) - 1
    samples = 10
    text = refreshed.fm("explain", *asked).out
    assert f"computed from {genes + samples:,} delivered rows\n" in text
    assert re.findall(r"rnaseq/counts.csv:(\d+) ", text) == [str(line) for line in range(2, 52)]
    assert f"    and {genes - 50:,} more of rnaseq/counts.csv (--all lists them)\n" in text
    assert f"    and {samples} more of rnaseq/samples.csv (--all lists them)\n" in text
    everything = refreshed.fm("explain", *asked, "--all").out
    assert everything.count("rnaseq/counts.csv:") == genes
    assert "(--all lists them)" not in everything
    counted = [
        file for file in explained(refreshed, *asked)["by_file"] if file["path"] == "rnaseq/counts.csv"
    ]
    assert [(file["rows"], file["lines"]) for file in counted] == [(genes, [[2, genes + 1]])]


EVERY = 1 if SOAK else 23
"""In an ordinary run every so many numbers of the report are walked; all of them in a soak."""
ON_ROWS = (
    "WITH RECURSIVE on_rows(t, c) AS (SELECT table_name, column_name FROM audit.column_lineage "
    "WHERE starts_with(input_table, 'raw.') AND kind = 'DIRECT' UNION SELECT table_name, column_name "
    "FROM audit.column_lineage JOIN on_rows ON t = input_table AND c = input_column AND kind = 'DIRECT') "
    "SELECT t, c FROM on_rows"
)
NUMBERS = ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "DOUBLE", "FLOAT", "DECIMAL")


def kept_lines(workspace: Workspace, sha256: str) -> list[bytes]:
    """The lines of a kept source, whose bytes have the recorded hash."""
    content = gzip.decompress((workspace.home / "sources" / f"{sha256}.gz").read_bytes())
    assert hashlib.sha256(content).hexdigest() == sha256
    return content.splitlines()


def assert_ends_at_lines(explanation: Explanation, lines: dict[str, list[bytes]], *, delivered: bool) -> None:
    assert explanation.rows or not delivered, (explanation.table, explanation.key, explanation.column)
    for row in explanation.rows:
        assert lines[row.sha256][row.line - 1].strip()


@pytest.mark.soak
def test_every_number_of_the_report_ends_at_lines_of_kept_files(refreshed):
    walked = 0
    with open_published(Home(refreshed.home)) as published:
        files = published.query("SELECT DISTINCT file_sha256 FROM audit.source_rows")["file_sha256"].to_list()
        lines = {sha256: kept_lines(refreshed, sha256) for sha256 in files}
        tables = published.query(
            "SELECT table_name FROM audit.tables WHERE starts_with(table_name, 'report.') ORDER BY 1"
        )["table_name"].to_list()
        assert len(tables) == 6
        rests_on_rows = set(published.query(ON_ROWS).rows())
        for table in tables:
            numeric = [
                name
                for name, kind in published.schema(table).items()
                if kind.startswith(NUMBERS) and not name.startswith("_")
            ]
            for place, row in enumerate(published.query(f"SELECT * FROM {table}").to_dicts()):
                for column in numeric:
                    chosen = (place + numeric.index(column)) % EVERY == 0
                    if chosen and row[column] is not None:
                        explanation = explain_row(published, table, row, column)
                        assert explanation.value == row[column]
                        assert_ends_at_lines(explanation, lines, delivered=(table, column) in rests_on_rows)
                        walked += 1
    assert walked > (1500 if EVERY == 1 else 60)


def test_a_copied_number_is_followed_to_the_cells_that_it_was_computed_from(refreshed):
    where = ["--where", "outcome=pain", "--where", "visit=week_12", "--where", "stratum="]
    found = explained(refreshed, "report.symptom_change", *where, "--column", "p_value")
    upstream = {(entry["table"], entry["column"]): entry for entry in found["upstream"]}
    assert upstream["stats.symptom_change", "p_value"]["cells"][0]["value"] == found["value"]
    with (refreshed.study / "clinical/visits.csv").open(newline="") as handle:
        visits = {(row["subject_id"], row["visit"]): row for row in csv.DictReader(handle)}
    pain = upstream["marts.symptom_change", "post_exact"]["cells"]
    assert len(pain) == 6
    for cell in pain:
        assert cell["key"]["outcome_id"] == "pain"
        assert cell["value"] == int(visits[cell["key"]["subject_id"], "week_12"]["fiqr_q12"])
    assert "Hodges-Lehmann" in found["parameters"]["method"]


def test_the_text_shows_every_score_behind_a_p_value_in_its_own_unit(refreshed):
    where = ["--where", "outcome=fiqr_total", "--where", "visit=week_12", "--where", "stratum="]
    asked = ("explain", "report.symptom_change", *where, "--column", "p_value")
    text = refreshed.fm(*asked).out
    with (refreshed.study / "clinical/visits.csv").open(newline="") as handle:
        visits = {(row["subject_id"], row["visit"]): row for row in csv.DictReader(handle)}
    for name, visit in (("base", "baseline"), ("post", "week_12")):
        block = text.split(f"marts.symptom_change.{name} = {name}_exact/{name}_scale: 6 cells\n")[1]
        shown = dict(
            re.findall(r"subject_id=(\w+),.*: ([\d.]+)", block.split("  from")[0].split("  checks")[0])
        )
        assert len(shown) == 6
        for subject, score in shown.items():
            items = [int(visits[subject, visit][f"fiqr_q{n}"]) for n in range(1, 22)]
            total = Fraction(sum(items[:9]), 3) + sum(items[9:11]) + Fraction(sum(items[11:]), 2)
            assert float(score) == pytest.approx(float(total), abs=5e-5)
    assert " more\n" not in text
    columns = {
        entry["column"]: entry["count"]
        for entry in json.loads(refreshed.fm(*asked, "--json").out)["upstream"]
    }
    assert {"base_exact": 6, "base_scale": 6, "post_exact": 6, "post_scale": 6}.items() <= columns.items()


def test_a_gene_s_p_value_shows_its_counts_samples_and_the_fit(refreshed):
    found = explained(
        refreshed, "expression.de_results", "--where", "contrast=fm_vs_healthy", "--where", "gene_id=SYNG00007",
        "--column", "pvalue",
    )  # fmt: skip
    with (refreshed.study / "rnaseq/counts.csv").open(newline="") as handle:
        matrix = list(csv.reader(handle))
    with (refreshed.study / "rnaseq/samples.csv").open(newline="") as handle:
        sheet = list(csv.DictReader(handle))
    line = next(number for number, cells in enumerate(matrix, start=1) if cells[0] == "SYNG00007")
    assert ("rnaseq/counts.csv", line) in {(row["path"], row["line"]) for row in found["rows"]}
    gene = found["gene"]
    assert gene["design"] == "~ group"
    assert gene["dispersion"] > 0
    assert len(gene["samples"]) == 10
    normalised = []
    for sample in gene["samples"]:
        row = sheet[sample["sheet_line"] - 2]
        assert row["sample_id"] == sample["sample_id"]
        assert sample["column"] == row["count_column"]
        assert sample["count"] == int(matrix[line - 1][matrix[0].index(sample["column"])])
        normalised.append(sample["count"] / sample["size_factor"])
    base_mean = explained(
        refreshed, "expression.de_results", "--where", "contrast=fm_vs_healthy", "--where", "gene_id=SYNG00007",
        "--column", "base_mean",
    )["value"]  # fmt: skip
    assert sum(normalised) / 10 == pytest.approx(base_mean, rel=1e-12)
    assert {entry["name"] for entry in found["left_out"]} == {"SYN01_w12", "SYN02_w12"}
    assert "week in (0)" in found["left_out"][0]["reason"]


def test_an_adjusted_p_value_names_its_family(refreshed):
    gene = ["--where", "contrast=fm_vs_healthy", "--where", "gene_id=SYNG00007", "--column", "padj"]
    found = explained(refreshed, "expression.de_results", *gene)
    with open_published(Home(refreshed.home)) as published:
        p, adjusted = published.query(
            "SELECT pvalue, padj FROM expression.de_results WHERE contrast = 'fm_vs_healthy' AND padj IS NOT NULL"
        )
    smaller = sum(one <= p[adjusted.to_list().index(found["value"])] for one in p)
    assert found["gene"]["n_adjusted"] == len(p)
    assert found["value"] <= p[adjusted.to_list().index(found["value"])] * len(p) / smaller * (1 + 1e-12)
    assert {entry["table"] for entry in found["inputs"]} == {"expression.fit_fm_vs_healthy"}
    assert f"over the {len(p):,} genes" in refreshed.fm("explain", "expression.de_results", *gene).out


def test_an_adjusted_p_value_can_be_adjusted_again_from_its_explanation_alone(refreshed):
    where = ["--where", "outcome=fiqr_total", "--where", "visit=week_4", "--where", "stratum="]
    found = explained(refreshed, "report.symptom_change", *where, "--column", "p_holm")
    p = sorted(member["value"] for member in found["family"])
    holm = [max(min(1, (len(p) - i) * p[i]) for i in range(j + 1)) for j in range(len(p))]
    own = next(m["value"] for m in found["family"] if m["key"] == found["key"])
    assert len(p) == found["parameters"]["family_size"]
    assert found["value"] == pytest.approx(holm[p.index(own)])
    assert not explained(refreshed, "report.symptom_change", *where, "--column", "p_value")["family"]
    gene = ["--where", "contrast=fm_vs_healthy", "--where", "gene_id=SYNG00007", "--column", "padj"]
    found = explained(refreshed, "expression.de_results", *gene)
    fit = found["gene"]
    assert fit["n_adjusted"] * fit["ranked_p"] / fit["rank"] == pytest.approx(found["value"], rel=1e-12)
    assert fit["pvalue"] <= fit["ranked_p"]
    groups = {sample["sample_id"][:3]: sample["design"] for sample in fit["samples"]}
    assert groups["SYN"] == {"group": "fibromyalgia"}
    assert groups["H01"] == {"group": "healthy"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report.characteristics", "--where", "variable=age", "--where", "stratum=", "--column", "q1"], "type 7"),
        (["stats.ard", "--where", "analysis_id=characteristics/age/-", "--where", "group=", "--where", "stat_name=q1",
          "--column", "stat_value"], "type 7"),
        (["expression.pca", "--where", "sample_id=SYN01_w00", "--where", "component=1", "--column", "coordinate"],
         "largest variance"),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else given,
)  # fmt: skip
def test_a_number_says_what_it_means_how_it_is_computed_and_how_to_ask_again(refreshed, arguments, words):
    text = refreshed.fm("explain", *arguments).out
    said = dict(re.findall(r"^  (meaning|formula|command) +(.*)$", text, re.MULTILINE))
    assert words in said["formula"]
    assert said["meaning"]
    again = shlex.split(said["command"])[1:]
    assert refreshed.fm(*again).out == text
    assert "from 0 delivered rows" not in text


def test_a_statistic_of_a_variable_comes_from_that_variable_alone(refreshed):
    where = [
        "--where",
        "analysis_id=characteristics/age/-",
        "--where",
        "group=",
        "--where",
        "stat_name=median",
    ]
    found = explained(refreshed, "stats.ard", *where)
    assert {entry["column"] for entry in found["upstream"]} == {"age"}


@pytest.mark.parametrize(("variable", "column"), [("age", "age"), ("sex", "sex"), ("n", "subject_id")])
def test_a_described_variable_comes_from_its_own_column(refreshed, variable, column):
    where = ["--where", f"variable={variable}", "--where", "stratum="]
    where += ["--where", "level=female"] if variable == "sex" else ["--where", "level="]
    found = explained(refreshed, "report.characteristics", *where, "--column", "value")
    assert {e["column"] for e in found["inputs"] if e["kind"] == "DIRECT"} == {column}
    assert [(entry["column"], entry["count"]) for entry in found["upstream"]] == [(column, 6)]


def test_what_the_gate_kept_out_and_who_has_no_pair_is_said(tmp_path, refreshed):
    copy = Home(tmp_path)
    copy.published.write_bytes(Home(refreshed.home).published.read_bytes())
    with duckdb.connect(str(copy.published)) as damaged:
        lost = damaged.sql(
            "SELECT _row_id FROM raw.visits WHERE subject_id = 'SYN02' AND visit = 'week_12'"
        ).fetchall()[0][0]
        damaged.execute(
            "INSERT INTO quarantine.visits VALUES (?, 'row', NULL, 'FM007', 'SYN02 has 2 rows', 'SYN02')",
            [lost],
        )
        damaged.execute(
            "DELETE FROM marts.symptom_scores WHERE subject_id = 'SYN02' AND visit_id = 'week_12'"
        )
        damaged.execute(
            "UPDATE stats.responder_status SET responded = NULL, status = 'value missing' "
            "WHERE subject_id = 'SYN02' AND visit = 'week_12'"
        )
    with open_published(copy) as published:
        row = published.query(
            "SELECT * FROM stats.symptom_change WHERE outcome = 'pain' AND visit = 'week_12' AND stratum IS NULL"
        ).row(0, named=True)
        found = explain_row(published, "stats.symptom_change", row, "p_value")
        assert [(out.name, out.reason) for out in found.left_out] == [("SYN02", "no value at week_12")]
        assert [(kept.path, kept.line, kept.rule) for kept in found.quarantined] == [
            ("clinical/visits.csv", 7, "FM007")
        ]
        rates = published.query(
            "SELECT * FROM stats.responder_rates WHERE responder = 'pain30' AND visit = 'week_12' AND stratum IS NULL"
        ).rows(named=True)
        said = {
            row["denominator"]: explain_row(published, "stats.responder_rates", row).left_out for row in rates
        }
        assert {name: [(out.name, out.imputed) for out in outs] for name, outs in said.items()} == {
            "observed cases": [("SYN02", False)],
            "non-responder imputation": [("SYN02", True)],
            "best case": [("SYN02", True)],
        }
        other = published.query("SELECT * FROM staging.visits WHERE subject_id = 'SYN01' LIMIT 1").row(
            0, named=True
        )
        assert not explain_row(published, "staging.visits", other).quarantined


ASKED_IN_SQL = [
    ["report.symptom_change", "--where", "outcome=fiqr_total", "--where", "visit=week_12", "--where", "stratum=",
     "--column", "p_value"],
    ["stats.responders", "--where", "responder=pain30", "--where", "visit=week_4", "--where", "stratum=primary"],
    ["report.top_genes", "--where", "contrast=fm_vs_healthy", "--where", "rank=1"],
    ["marts.participants", "--where", "subject_id=SYN02", "--column", "age"],
    ["study.visits", "--where", "visit_id=baseline"],
]  # fmt: skip


def told_in_sql(workspace: Workspace, *arguments: str) -> set[tuple]:
    """What the printed query gives in a DuckDB that knows nothing of the platform."""
    outcome = workspace.fm("explain", *arguments, "--sql")
    assert outcome.code == 0, outcome.err
    with duckdb.connect(str(workspace.home / "warehouse.duckdb"), read_only=True) as database:
        answer = database.sql(outcome.out)
        assert answer.columns == ["file", "line", "column", "text", "role"]
        return set(answer.fetchall())


def told_in_json(found: dict) -> set[tuple]:
    return {
        (row["path"], row["line"], column, as_text(value), row["role"])
        for row in (*found["rows"], *found["decided"])
        for column, value in (row["cells"] or {None: None}).items()
    }


def as_text(value: object) -> object:
    """A cell as DuckDB casts it; all delivered cells but lists of counts are texts."""
    return str(value).replace("None", "NULL") if isinstance(value, list) else value


@pytest.mark.parametrize("arguments", ASKED_IN_SQL, ids=lambda arguments: arguments[0])
def test_a_printed_query_gives_the_same_delivered_rows_without_the_platform(refreshed, arguments):
    told = told_in_sql(refreshed, *arguments)
    assert told == told_in_json(explained(refreshed, *arguments))
    assert bool(told) == (not arguments[0].startswith("study."))


@pytest.mark.soak
def test_the_printed_query_of_every_table_gives_what_is_explained(refreshed):
    with open_published(Home(refreshed.home)) as published:
        tables = published.query("SELECT table_name FROM audit.tables ORDER BY ALL")["table_name"].to_list()
        keys = LinkBook(published).keys
        firsts = {t: published.query(f"SELECT * FROM {t} LIMIT 1").to_dicts() for t in tables}
    for table in tables if SOAK else tables[::8]:
        for row in firsts[table]:
            where = [("--where", f"{k}={'' if row[k] is None else row[k]}") for k in keys[table]]
            arguments = [table, *(word for pair in where for word in pair)]
            assert told_in_sql(refreshed, *arguments) == told_in_json(explained(refreshed, *arguments)), table


def test_a_query_is_not_asked_for_together_with_another_form(refreshed):
    assert refreshed.fm("explain", "study.visits", "--sql", "--json").code == 2
