"""Define-XML 2.1 of ``marts.adsl`` and ``marts.adqs``, with analysis results metadata 1.0.

Belongs here: the document, element by element in the order of its schema. Does not belong here: what variables and
analyses are (``define_items``, ``define_arm``), reading a publication (``analysis_data``), writing the file.

It describes and holds no value of a person: levels are named where enough people share them, everything else is what
study.yaml, the models and the ledger say. The datasets have ADaM's layout; no conformance and no controlled terminology
is claimed, which the document says itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import metadata

from fm_platform.lineage.exchange.cdisc import define_arm as arm
from fm_platform.lineage.exchange.cdisc.analysis_data import AnalysisData
from fm_platform.lineage.exchange.cdisc.define_items import (
    DATASETS,
    FEW,
    NO_DATA,
    PARAMETER_OID,
    VALUE_LIST,
    CodeList,
    Dataset,
    Variable,
    code_lists,
    values_of_aval,
    variables,
)
from fm_platform.lineage.exchange.cdisc.markup import Element, described, document, element

ROOT = {
    "xmlns": "http://www.cdisc.org/ns/odm/v1.3",
    "xmlns:def": "http://www.cdisc.org/ns/def/v2.1",
    "xmlns:arm": "http://www.cdisc.org/ns/arm/v1.0",
    "xmlns:xlink": "http://www.w3.org/1999/xlink",
}
DEFINE_VERSION = "2.1.0"
STANDARD = "STD.ADAMIG"
WHOLE = "COM.PUBLICATION"
SYNTHETIC = "SYNTHETIC DATA: no number here stems from a person."


def define_xml(data: AnalysisData) -> bytes:
    """The document; the same publication gives the same bytes.

    Args:
        data: The publication.
    """
    inventory = data.inventory
    name = f"fm-platform/{inventory.study_id}/publication/{inventory.publication}"
    root = element(
        "ODM",
        {
            **ROOT,
            "ODMVersion": "1.3.2",
            "FileType": "Snapshot",
            "FileOID": f"{name}/define",
            "CreationDateTime": max(table.at for table in inventory.tables.values()),
            "Originator": "fm_platform",
            "SourceSystem": "fm_platform",
            "SourceSystemVersion": metadata.version("fm-platform"),
            "def:Context": "Other",
        },
        [
            element(
                "Study",
                {"OID": f"ST.{inventory.study_id}"},
                [
                    element(
                        "GlobalVariables",
                        children=[
                            element("StudyName", text=inventory.study_id),
                            element("StudyDescription", text=inventory.title),
                            element("ProtocolName", text=inventory.study_id),
                        ],
                    ),
                    _metadata_version(data),
                ],
            )
        ],
    )
    return document(root)


def _metadata_version(data: AnalysisData) -> Element:
    inventory = data.inventory
    origin = f"{SYNTHETIC} " if inventory.synthetic else ""
    of = {dataset.name: variables(data, dataset) for dataset in DATASETS}
    values = list(values_of_aval(data))
    everything = [*(variable for own in of.values() for variable in own), *values]
    lists = {listed.oid: listed for listed in code_lists(data).values()}
    used = {variable.code_list for variable in everything}
    return element(
        "MetaDataVersion",
        {
            "OID": f"MDV.{inventory.study_id}.{inventory.publication}",
            "Name": f"{inventory.study_id}, publication {inventory.publication}",
            "Description": f"{origin}Analysis datasets and results of study {inventory.study_id}",
            "def:DefineVersion": DEFINE_VERSION,
            "def:CommentOID": WHOLE,
        },
        [
            _standards(),
            _value_list(values),
            *_where_clauses(data, values),
            *(_item_group(data, dataset, of[dataset.name]) for dataset in DATASETS),
            *(_item(variable, values) for variable in everything),
            *(_code_list(listed) for oid, listed in lists.items() if oid in used),
            *(_method(variable) for variable in everything if variable.method),
            *_comments(data, everything),
            *(_leaf(arm.leaf_of(table), table.table) for table in arm.tables_of_results(data)),
            arm.result_displays(data),
        ],
    )


def _standards() -> Element:
    standard = {"OID": STANDARD, "Name": "ADaMIG", "Type": "IG", "Version": "1.1", "Status": "Final"}
    return element("def:Standards", children=[element("def:Standard", standard)])


def _value_list(values: Sequence[Variable]) -> Element | None:
    if not values:
        return None
    return element(
        "def:ValueListDef", {"OID": VALUE_LIST}, [_item_ref(v, n) for n, v in enumerate(values, 1)]
    )


def _where_clauses(data: AnalysisData, values: Sequence[Variable]) -> Iterator[Element]:
    conditions = {str(value.where): ((PARAMETER_OID, value.name),) for value in values}
    for oid, checks in {**conditions, **arm.record_conditions(data)}.items():
        yield element(
            "def:WhereClauseDef",
            {"OID": oid},
            [
                element(
                    "RangeCheck",
                    {"Comparator": "EQ", "SoftHard": "Soft", "def:ItemOID": item},
                    [element("CheckValue", text=value)],
                )
                for item, value in checks
            ],
        )


def _item_group(data: AnalysisData, dataset: Dataset, own: Sequence[Variable]) -> Element:
    return element(
        "ItemGroupDef",
        {
            "OID": dataset.oid,
            "Name": dataset.name,
            "Repeating": "Yes" if dataset.repeating else "No",
            "IsReferenceData": "No",
            "SASDatasetName": dataset.name,
            "Purpose": "Analysis",
            "def:Structure": dataset.structure,
            "def:ArchiveLocationID": dataset.leaf,
            "def:StandardOID": STANDARD,
            "def:CommentOID": f"COM.{dataset.name}",
        },
        [
            described(dataset.label),
            *(_item_ref(variable, number) for number, variable in enumerate(own, 1)),
            element("def:Class", {"Name": dataset.adam_class}),
            _leaf(dataset.leaf, dataset.table),
        ],
    )


def _item_ref(variable: Variable, number: int) -> Element:
    where = [element("def:WhereClauseRef", {"WhereClauseOID": variable.where})] if variable.where else []
    return element(
        "ItemRef",
        {
            "ItemOID": variable.oid,
            "OrderNumber": number,
            "Mandatory": "Yes" if variable.mandatory else "No",
            "KeySequence": variable.key,
            "MethodOID": variable.method,
            "def:HasNoData": "Yes" if variable.shape.empty else None,
        },
        where,
    )


def _item(variable: Variable, values: Sequence[Variable]) -> Element:
    shape, origin = variable.shape, variable.origin
    listed = variable.oid == "IT.ADQS.AVAL" and values
    return element(
        "ItemDef",
        {
            "OID": variable.oid,
            "Name": variable.name,
            "DataType": shape.type,
            "Length": shape.length,
            "SignificantDigits": shape.digits if shape.type == "float" else None,
            "SASFieldName": variable.name,
            "def:CommentOID": variable.comment,
        },
        [
            described(variable.label),
            element("CodeListRef", {"CodeListOID": variable.code_list}) if variable.code_list else None,
            element(
                "def:Origin",
                {
                    "Type": origin.type,
                    "Source": "Sponsor" if origin.type in ("Assigned", "Derived") else None,
                },
                [described(origin.words)] if origin.type != "Derived" else [],
            ),
            element("def:ValueListRef", {"ValueListOID": VALUE_LIST}) if listed else None,
        ],
    )


def _code_list(listed: CodeList) -> Element:
    return element(
        "CodeList",
        {"OID": listed.oid, "Name": listed.name, "DataType": listed.type, "def:IsNonStandard": "Yes"},
        [
            element("EnumeratedItem", {"CodedValue": value, "OrderNumber": number})
            if decode is None
            else element(
                "CodeListItem",
                {"CodedValue": value, "OrderNumber": number},
                [described(decode, "Decode")],
            )
            for number, (value, decode) in enumerate(listed.items.items(), 1)
        ],
    )


def _method(variable: Variable) -> Element:
    return element(
        "MethodDef",
        {"OID": variable.method, "Name": f"Derivation of {variable.name}", "Type": "Computation"},
        [described(variable.origin.words)],
    )


def _comments(data: AnalysisData, everything: Sequence[Variable]) -> Iterator[Element]:
    inventory = data.inventory
    origin = f"{SYNTHETIC} " if inventory.synthetic else ""
    texts = {
        WHOLE: f"{origin}Publication {inventory.publication} of study {inventory.study_id}; ledger record "
        f"{inventory.head[0]}, {inventory.head[1]}; study.yaml has SHA-256 {inventory.study_sha256}. The datasets have "
        "ADaM's layout. Conformance is not claimed: there is no SDTM before them, code lists are the study's own, "
        "labels are descriptions of any length, and SRCDOM names tables of the platform, which are longer than a "
        "dataset's name may be.",
        **{
            f"COM.{dataset.name}": f"{inventory.tables[dataset.table].described.description} In the file that "
            "`fm export tables` writes, the key comes first, data_origin last, and subjects stand under pseudonyms."
            for dataset in DATASETS
        },
        arm.JOINED: "ADSL and ADQS are joined by USUBJID.",
        FEW: f"A level that fewer than {data.k} subjects share is not listed.",
        NO_DATA: "No record of this publication has a value.",
    }
    used = {variable.comment for variable in everything}
    for oid, text in texts.items():
        if oid in used or oid not in (FEW, NO_DATA, arm.JOINED) or (oid == arm.JOINED and data.results):
            yield element("def:CommentDef", {"OID": oid}, [described(text)])


def _leaf(oid: str, table: str) -> Element:
    file = f"{table}.csv"
    return element("def:leaf", {"ID": oid, "xlink:href": file}, [element("def:title", text=file)])
