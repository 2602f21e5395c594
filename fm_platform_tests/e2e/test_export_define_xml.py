"""``fm export define-xml``: valid by the published schemas, whole in its references, true of the published tables."""

from __future__ import annotations

import json
from collections import Counter
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree as ET

import duckdb
import pytest

from fm_platform_tests.e2e.conftest import Workspace, copy_to_export_from

ODM = "{http://www.cdisc.org/ns/odm/v1.3}"
DEF = "{http://www.cdisc.org/ns/def/v2.1}"
ARM = "{http://www.cdisc.org/ns/arm/v1.0}"
SCHEMA = "odmlib/schemas/arm/1.0-define2.1/arm1-0-0.xsd"
DEFINED_BY = {
    "ItemOID": "ItemDef",
    f"{DEF}ItemOID": "ItemDef",
    "ParameterOID": "ItemDef",
    "MethodOID": "MethodDef",
    "CodeListOID": "CodeList",
    "ValueListOID": "ValueListDef",
    "WhereClauseOID": "WhereClauseDef",
    "ItemGroupOID": "ItemGroupDef",
    f"{DEF}CommentOID": "CommentDef",
    f"{DEF}StandardOID": "Standard",
    "leafID": "leaf",
    f"{DEF}ArchiveLocationID": "leaf",
}


@pytest.fixture(scope="module")
def place(refreshed: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return copy_to_export_from(refreshed, tmp_path_factory.mktemp("define"))


@pytest.fixture(scope="module")
def file(place: Workspace) -> Path:
    path = place.home.parent / "define.xml"
    outcome = place.fm("export", "define-xml", "-o", str(path))
    assert outcome.code == 0, outcome.err
    return path


@pytest.fixture(scope="module")
def root(file: Path) -> ET.Element:
    return ET.parse(file).getroot()


@pytest.fixture(scope="module")
def published(place: Workspace) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(place.home / "warehouse.duckdb"), read_only=True)


def local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def text(element: ET.Element, path: str = f"{ODM}Description/{ODM}TranslatedText") -> str:
    found = element.find(path)
    assert found is not None
    assert found.text
    return found.text


def by_oid(root: ET.Element, tag: str) -> dict[str, ET.Element]:
    return {element.get("OID") or str(element.get("ID")): element for element in root.iter(tag)}


def test_the_published_schemas_accept_it_and_would_tell_a_fault(file: Path) -> None:
    xmlschema = pytest.importorskip("xmlschema", reason="needs xmlschema of the extra `dev`")
    try:
        path = metadata.distribution("odmlib").locate_file(SCHEMA)
    except metadata.PackageNotFoundError:
        pytest.skip("needs the schemas in odmlib, of the extra `dev`")
    schema = xmlschema.XMLSchema(str(path))
    assert [error.reason for error in schema.iter_errors(str(file))] == []
    document = file.read_text(encoding="utf-8")
    for good, bad in (
        ('Type="Predecessor"', 'Type="Copied"'),
        ("<def:Class ", "<def:Kind "),
        (' AnalysisReason="SPECIFIED IN STUDY.YAML"', ""),
        ('leafID="LF.stats.responders"', 'leafID="LF.nowhere"'),
    ):
        assert good in document
        assert not schema.is_valid(ET.fromstring(document.replace(good, bad, 1)))


def test_whatever_is_referenced_is_defined_once_and_whatever_is_defined_is_used(root: ET.Element) -> None:
    defined = Counter(
        (local(e), e.get("OID") or e.get("ID")) for e in root.iter() if e.get("OID") or e.get("ID")
    )
    assert set(defined.values()) == {1}
    used = {
        (DEFINED_BY[name], value)
        for element in root.iter()
        for name, value in element.attrib.items()
        if name in DEFINED_BY
    }
    assert used <= set(defined)
    unused = {entry for entry in defined if entry[0] in DEFINED_BY.values()} - used
    assert unused == set()


def test_variables_keys_and_types_are_those_of_the_published_tables(root, published) -> None:
    items, groups = by_oid(root, f"{ODM}ItemDef"), by_oid(root, f"{ODM}ItemGroupDef")
    columns = "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE schema_name = 'marts'"
    described = {(table, column): comment for table, column, comment in published.sql(columns).fetchall()}
    for name, key in (("ADSL", ["USUBJID"]), ("ADQS", ["USUBJID", "PARAMCD", "AVISITN"])):
        table = published.sql(f"SELECT COLUMNS(c -> NOT starts_with(c, '_')) FROM marts.{name}")
        refs = groups[f"IG.{name}"].findall(f"{ODM}ItemRef")
        assert [items[ref.get("ItemOID")].get("Name") for ref in refs] == table.columns
        keyed = {ref.get("KeySequence"): items[ref.get("ItemOID")].get("Name") for ref in refs}
        assert [keyed[str(place)] for place in range(1, len(key) + 1)] == key
        for ref in refs:
            item = items[ref.get("ItemOID")]
            column = item.get("Name")
            values = [value for (value,) in table.project(f'"{column}"').fetchall() if value is not None]
            assert text(item) == described[name.lower(), column]
            assert (ref.get(f"{DEF}HasNoData") == "Yes") == (not values)
            assert (ref.get("Mandatory") == "Yes") <= (len(values) == len(table))
            if item.get("DataType") == "text":
                assert max((len(value) for value in values), default=0) <= int(item.get("Length"))
            if item.get("DataType") == "integer":
                assert all(value == int(value) for value in values)
            listed = item.find(f"{ODM}CodeListRef")
            if listed is not None and name == "ADQS":
                codes = by_oid(root, f"{ODM}CodeList")[listed.get("CodeListOID")]
                assert {str(value) for value in values} <= {e.get("CodedValue") for e in codes}


def test_every_parameter_has_its_own_description_of_aval(root, published) -> None:
    items = by_oid(root, f"{ODM}ItemDef")
    (values,) = root.iter(f"{DEF}ValueListDef")
    described = {}
    for ref in values:
        (where,) = ref
        item = items[ref.get("ItemOID")]
        described[condition(root, where.get("WhereClauseOID"))] = item
    codes = published.sql("SELECT DISTINCT PARAMCD FROM marts.adqs").fetchall()
    assert set(described) == {f"ADQS.PARAMCD = '{code}'" for (code,) in codes}
    for where, item in described.items():
        found = published.sql(f"SELECT AVAL FROM marts.adqs AS ADQS WHERE {where}").fetchall()
        digits = int(item.get("SignificantDigits") or 0)
        assert all(value == pytest.approx(round(value, digits), rel=1e-14) for (value,) in found)
        assert all(len(str(int(abs(value)))) + digits <= int(item.get("Length")) for (value,) in found)
    total = by_oid(root, f"{ODM}MethodDef")["MT.ADQS.AVAL.FIQR12"]
    assert "visits.fiqr_q12." in text(total)


def test_following_each_analysis_gives_the_published_number(root, published) -> None:
    """n and the median change, or n and the responders, from the records that the metadata name."""
    ledger = published.sql("SELECT kind, body FROM audit.ledger ORDER BY seq").fetchall()
    made = {b["table"]: b for kind, body in ledger if kind == "materialization" and (b := json.loads(body))}
    (environment,) = [json.loads(body) for kind, body in ledger if kind == "environment"]
    followed = Counter()
    for result in root.iter(f"{ARM}AnalysisResult"):
        _, table, name, visit = result.get("OID").split(".")
        wheres, variables = [], []
        for dataset in result.iter(f"{ARM}AnalysisDataset"):
            wheres.append(condition(root, dataset.find(f"{DEF}WhereClauseRef").get("WhereClauseOID")))
            variables += [entry.get("ItemOID") for entry in dataset.iter(f"{ARM}AnalysisVariable")]
        joined = "marts.adqs AS ADQS JOIN marts.adsl AS ADSL USING (USUBJID)"
        where = " AND ".join(wheres)
        if table == "symptom_change":
            assert "IT.ADQS.CHG" in variables
            own = f"SELECT count(CHG), median(CHG) FROM {joined} WHERE {where}"
            stored = "n, median_change FROM stats.symptom_change WHERE outcome"
        else:
            assert "IT.ADQS.PCHG" in variables
            rule = text(result, f"{ARM}Documentation/{ODM}Description/{ODM}TranslatedText")
            rule = rule.partition("responds where ")[2].partition(". ")[0]
            own = f"SELECT count(PCHG), count(*) FILTER ({rule}) FROM {joined} WHERE {where}"
            stored = "n, responders FROM stats.responders WHERE responder"
        again = published.sql(own).fetchone()
        said = published.execute(
            f"SELECT {stored} = ? AND visit = ? AND stratum IS NULL", [name, visit]
        ).fetchone()
        assert again == pytest.approx(said), result.get("OID")
        followed[table] += 1
        code = text(result, f"{ARM}ProgrammingCode/{ARM}Code")
        assert f"code version {made[f'stats.{table}']['parts']['code']};" in code
        assert (environment["commit"] or "fm-platform") in code
        assert environment["lock"]["sha256"] in code
    assert followed == {"symptom_change": 14, "responders": 4}


def condition(root: ET.Element, oid: str) -> str:
    """A where clause as SQL."""
    items = by_oid(root, f"{ODM}ItemDef")
    parts = []
    for check in by_oid(root, f"{DEF}WhereClauseDef")[oid]:
        assert check.get("Comparator") == "EQ"
        item = check.get(f"{DEF}ItemOID")
        (value,) = [entry.text for entry in check]
        parts.append(f"{item.split('.')[1]}.{items[item].get('Name')} = '{value}'")
    return " AND ".join(parts)


def test_it_names_no_person_and_no_level_of_few(file: Path, published) -> None:
    document = file.read_text(encoding="utf-8")
    for (subject,) in published.sql("SELECT DISTINCT USUBJID FROM marts.adsl").fetchall():
        assert subject not in document
    for (day,) in published.sql("SELECT DISTINCT visit_date FROM staging.stg_visits").fetchall():
        assert str(day) not in document
    root = ET.fromstring(document)
    lists = by_oid(root, f"{ODM}CodeList")
    for column in ("SEX", "STRAT1"):
        shared = published.sql(
            f"SELECT {column} FROM marts.adsl WHERE {column} IS NOT NULL GROUP BY 1 HAVING count(*) >= 3"
        ).fetchall()
        listed = {entry.get("CodedValue") for entry in lists.get(f"CL.{column}", ())}
        assert listed == {level for (level,) in shared}


def test_origins_tell_copied_from_assigned_and_derived(root: ET.Element) -> None:
    items = by_oid(root, f"{ODM}ItemDef")
    types = {oid: item.find(f"{DEF}Origin").get("Type") for oid, item in items.items()}
    assert {
        oid: types[f"IT.{oid}"]
        for oid in (
            "ADSL.AGE",
            "ADSL.ARM",
            "ADSL.NVISITS",
            "ADQS.PARAMCD",
            "ADQS.AVISIT",
            "ADQS.CHG",
            "ADQS.SRCVAR",
            "ADQS.SRCSEQ",
        )
    } == {
        "ADSL.AGE": "Predecessor",
        "ADSL.ARM": "Not Available",
        "ADSL.NVISITS": "Derived",
        "ADQS.PARAMCD": "Assigned",
        "ADQS.AVISIT": "Assigned",
        "ADQS.CHG": "Derived",
        "ADQS.SRCVAR": "Assigned",
        "ADQS.SRCSEQ": "Predecessor",
    }
    age = text(items["IT.ADSL.AGE"], f"{DEF}Origin/{ODM}Description/{ODM}TranslatedText")
    assert age == "staging.stg_subjects.age; delivered as participants.age"


def test_it_left_by_the_door_and_again_with_the_same_bytes(place: Workspace, file: Path) -> None:
    again = file.with_name("again.xml")
    assert place.fm("export", "define-xml", "-o", str(again)).code == 0
    assert again.read_bytes() == file.read_bytes()
    (newest, *_) = json.loads(place.fm("exports", "--file", str(file), "--json").out)
    assert (newest["form"], newest["holds"]) == ("define-xml", "no rows")
    assert {"marts.adsl", "marts.adqs", "stats.symptom_change"} <= set(newest["tables"])
