"""A publication's provenance as PROV-O (https://www.w3.org/TR/prov-o/), written as JSON-LD 1.1.

Belongs here: entities, activities and agents as plain JSON values. Does not belong here: reading the ledger
(``published_inventory``), or letting the file out (``catalog.disclosure``).

PROV-O is the W3C's Recommendation (PROV-JSON is a member submission), and in JSON-LD with its context inside any RDF
tool reads it, while writing it takes the standard library. Names are made from the study and from digests, never from
hosts or folders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from fm_platform.lineage.environment import in_words
from fm_platform.lineage.exchange.inventory import Inventory, SourceFile, TableFacts
from fm_platform.warehouse.ledger import LedgerRecord, canonical, sha256_text

Node = dict[str, Any]

_LINKS = (
    "used",
    "wasGeneratedBy",
    "wasDerivedFrom",
    "wasAssociatedWith",
    "wasAttributedTo",
    "actedOnBehalfOf",
    "wasRevisionOf",
    "hadMember",
)
_TIMES = ("startedAtTime", "endedAtTime", "generatedAtTime")
_CLASSES = ("Entity", "Collection", "Activity", "Agent", "SoftwareAgent")
CONTEXT: Node = {
    "prov": "http://www.w3.org/ns/prov#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "fm": "urn:fm-platform:",
    "label": "http://www.w3.org/2000/01/rdf-schema#label",
    "description": "http://purl.org/dc/terms/description",
    "isPartOf": {"@id": "http://purl.org/dc/terms/isPartOf", "@type": "@id"},
    **{name: {"@id": f"prov:{name}", "@type": "@id"} for name in _LINKS},
    **{name: {"@id": f"prov:{name}", "@type": "xsd:dateTime"} for name in _TIMES},
    **{name: f"prov:{name}" for name in _CLASSES},
}
"""Every term that the document uses; nothing is looked up."""


def prov_document(inventory: Inventory, publications: Sequence[LedgerRecord]) -> Node:
    """The provenance of a publication.

    Entities are delivered and written files, tables by value digest, and publications; activities are materializations,
    runs and publications; agents are who acted, the code version that acted for them, and the environment that ran it.

    Args:
        inventory: What the publication holds.
        publications: The ledger's records of publications up to this one, oldest first.

    Returns:
        A JSON-LD document; the same arguments give the same one.
    """
    names = _Names(inventory)
    nodes: dict[str, Node] = {}
    for table in inventory.tables.values():
        _add(nodes, _made(names, table))
    _add(nodes, _runs(names, inventory, publications))
    _add(nodes, _published(names, inventory, publications))
    for table in inventory.tables.values():
        for name, digest in table.inputs.items():
            _add(nodes, [_entity(names.table(name, digest), name, **{"fm:valueDigest": digest})])
    return {"@context": CONTEXT, "@graph": [nodes[name] for name in sorted(nodes)]}


class _Names:
    """The identifiers of one study."""

    def __init__(self, inventory: Inventory) -> None:
        self.base = f"fm-platform://{quote(inventory.study_id)}"

    def of(self, kind: str, *parts: object) -> str:
        return "/".join((self.base, kind, *(quote(str(part)) for part in parts)))

    def table(self, table: str, digest: str) -> str:
        """A table, or the files of an asset, in one version."""
        return self.of("table", table, digest)

    def source(self, entry: SourceFile) -> str:
        """A delivered file."""
        return self.of("delivered", entry.path, entry.sha256)


def _add(nodes: dict[str, Node], found: Iterable[Node]) -> None:
    """Keep what was said first: the makings come before mere mentions."""
    for node in found:
        nodes.setdefault(node["@id"], node)


def _entity(name: str, label: str, kinds: Sequence[str] = ("Entity",), **said: Any) -> Node:
    return {
        "@id": name,
        "@type": list(kinds),
        "label": label,
        **{key: value for key, value in said.items() if value not in (None, "", [])},
    }


def _made(names: _Names, table: TableFacts) -> list[Node]:
    """What one materialization used, did, made, and who stands for it."""
    activity, code, actor = (
        names.of("make", table.seq),
        names.of("code", table.table, table.code_version),
        names.of("actor", table.actor),
    )
    used = [*map(names.source, table.delivered), *(names.table(*read) for read in table.inputs.items())]
    made = names.table(table.table, table.value_digest)
    by = {"wasGeneratedBy": activity, "wasDerivedFrom": used, "generatedAtTime": _time(table.at)}
    by["wasAttributedTo"] = actor
    environment = _environment(names, table)
    files = [
        _entity(names.of("file", path, sha256), path, **by, **{"fm:sha256": sha256})
        for path, sha256 in sorted(table.files.items())
    ]
    return [
        {
            "@id": activity,
            "@type": ["Activity"],
            "label": f"make {table.table}",
            **({"description": table.reason} if table.reason else {}),
            "startedAtTime": _time(min(table.started, table.at)),
            "endedAtTime": _time(table.at),
            "used": used,
            "wasAssociatedWith": [code, *(node["@id"] for node in environment), actor],
            "isPartOf": names.of("run", table.run_id),
            "fm:ledgerRecord": table.seq,
            "fm:recordHash": table.record_hash,
            "fm:fingerprint": table.fingerprint,
        },
        _entity(
            made,
            table.table,
            ("Entity", "Collection") if table.files else ("Entity",),
            description=table.described.description,
            **by,
            hadMember=[file["@id"] for file in files],
            **{
                "fm:valueDigest": table.value_digest,
                "fm:fullDigest": table.full_digest,
                "fm:rows": table.rows,
            },
        ),
        *files,
        *environment,
        *(
            _entity(names.source(entry), entry.path, **{"fm:sha256": entry.sha256, "fm:source": entry.source})
            for entry in table.delivered
        ),
        {
            "@id": code,
            "@type": ["Agent", "SoftwareAgent"],
            "label": f"fm_platform, code of {table.table}",
            "actedOnBehalfOf": actor,
            "fm:codeVersion": table.code_version,
            **_libraries(table),
        },
        {"@id": actor, "@type": ["Agent"], "label": table.actor},
    ]


def _libraries(table: TableFacts) -> Node:
    listed = [f"{name} {version}" for name, version in table.made_with.code.libraries.items()]
    return {"fm:libraries": listed} if listed else {}


def _environment(names: _Names, table: TableFacts) -> list[Node]:
    """Python, platform, package, commit and lock that a table was made with, as the agent that ran the code."""
    body = table.made_with.environment
    if not body:
        return []
    words = in_words(body)
    return [
        {
            "@id": names.of("environment", sha256_text(canonical(body))),
            "@type": ["Agent", "SoftwareAgent"],
            "label": f"{words['Python']} on {words['platform']}",
            "fm:release": body["package"],
            **{f"fm:{name.lower()}": text for name, text in words.items()},
        }
    ]


def _runs(names: _Names, inventory: Inventory, publications: Sequence[LedgerRecord]) -> list[Node]:
    """The runs that steps were part of: from the first beginning to the last end of what is told of them."""
    spans: dict[str, list[str]] = {}
    for table in inventory.tables.values():
        spans.setdefault(table.run_id, []).extend((table.started, table.at))
    for record in publications:
        spans.setdefault(record.run_id, []).extend((str(record.content.get("started", record.at)), record.at))
    return [
        {
            "@id": names.of("run", run),
            "@type": ["Activity"],
            "label": f"run {run}",
            "startedAtTime": _time(min(times)),
            "endedAtTime": _time(max(times)),
        }
        for run, times in spans.items()
    ]


def _published(names: _Names, inventory: Inventory, publications: Sequence[LedgerRecord]) -> list[Node]:
    """Publications, each a revision of the one before; the one that is told of, with what it holds."""
    nodes: list[Node] = []
    before: str | None = None
    for record in publications:
        body: Mapping[str, Any] = record.content
        name, activity = names.of("publication", body["number"]), names.of("make", record.seq)
        actor = names.of("actor", body.get("actor", ""))
        tables = [
            names.table(table.table, table.value_digest)
            for table in inventory.tables.values()
            if body["number"] == inventory.publication
        ]
        nodes += [
            {
                "@id": activity,
                "@type": ["Activity"],
                "label": "publish",
                "startedAtTime": _time(min(str(body.get("started", record.at)), record.at)),
                "endedAtTime": _time(record.at),
                **({"used": tables} if tables else {}),
                "wasAssociatedWith": [actor],
                "isPartOf": names.of("run", record.run_id),
                "fm:ledgerRecord": record.seq,
                "fm:recordHash": record.hash,
            },
            _entity(
                name,
                f"publication {body['number']} of {inventory.study_id}",
                ("Entity", "Collection"),
                description="Synthetic data" if inventory.synthetic else "",
                wasGeneratedBy=activity,
                generatedAtTime=_time(record.at),
                wasAttributedTo=actor,
                wasDerivedFrom=tables,
                hadMember=tables,
                wasRevisionOf=before,
                **{"fm:sha256": body["sha256"]},
            ),
            {"@id": actor, "@type": ["Agent"], "label": body.get("actor", "")},
        ]
        before = name
    return nodes


def _time(at: str) -> str:
    return datetime.fromisoformat(at).isoformat(timespec="microseconds")
