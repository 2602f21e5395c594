"""How the entities of a crate are called, and the crate's idea of a file.

Belongs here: identifiers and media types. Does not belong here: entities.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import quote

from fm_platform.lineage.exchange.inventory import Inventory, TableFacts
from fm_platform.lineage.libraries import PYTHON
from fm_platform.warehouse.ledger import canonical, sha256_text

Entity = dict[str, Any]
Role = Literal["readme", "workflow", "parameters", "input", "output", "ledger"]

_FORMATS = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".gz": "application/gzip",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".html": "text/html",
    ".md": "text/markdown",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".yaml": "application/yaml",
    ".duckdb": "application/vnd.duckdb",
}
WORKFLOW = "workflow.json"
RUN, ORGANIZE, ENGINE, LANGUAGE, RIGHTS = "#run", "#organize", "#engine", "#language", "#rights"


@dataclass(frozen=True)
class CrateFile:
    """A file of the run: inside the crate when it has content, else only named by its hash."""

    path: str
    role: Role
    description: str
    sha256: str
    size: int
    content: bytes | None = None

    @classmethod
    def of(cls, path: str, role: Role, content: bytes, description: str) -> CrateFile:
        """A file inside the crate."""
        return cls(path, role, description, hashlib.sha256(content).hexdigest(), len(content), content)

    @property
    def id(self) -> str:
        """Its path in the crate, or a name by content (RFC 6920) where it stayed behind."""
        if self.content is not None:
            return quote(self.path)
        digest = base64.urlsafe_b64encode(bytes.fromhex(self.sha256)).decode().rstrip("=")
        return f"ni:///sha-256;{digest}?ct={quote(media_type(self.path))}"


def ids(names: Iterable[str]) -> list[Entity]:
    """References to entities, each once."""
    return [{"@id": name} for name in dict.fromkeys(names)]


def ended(inventory: Inventory) -> str:
    """When the newest table was committed."""
    return max(table.at for table in inventory.tables.values())


def instant(at: str) -> str:
    """A time to the millisecond, the form of ISO 8601 that the profiles' shapes take."""
    return datetime.fromisoformat(at).isoformat(timespec="milliseconds")


def media_type(path: str) -> str:
    """The media type of a file by its ending."""
    return _FORMATS.get(PurePosixPath(path).suffix.lower(), "application/octet-stream")


def parameter_id(name: str) -> str:
    """The formal parameter of a file or contrast."""
    return f"#parameter/{quote(name)}"


def value_id(name: str) -> str:
    """The value of a contrast."""
    return f"#value/{quote(name)}"


def table_id(name: str, digest: str) -> str:
    """A table in one version."""
    return f"#table/{name}/{digest[:16]}"


def tool_id(inventory: Inventory, table: TableFacts) -> str:
    """The tool that makes a table."""
    return f"fm-platform://{inventory.study_id}/tool/{table.table}"


def library_id(name: str, version: str) -> str:
    """A distribution, or Python, in one version, as a package URL (https://github.com/package-url/purl-spec)."""
    kind = "generic" if name == PYTHON else "pypi"
    return f"pkg:{kind}/{quote(name.lower().replace('_', '-'))}@{quote(version)}"


def environment_id(environment: Mapping[str, Any]) -> str:
    """Where tables were made: the platform in one version, on one Python and machine."""
    return f"#environment/{sha256_text(canonical(environment))[:16]}"


def lock_id(lock: Mapping[str, Any]) -> str:
    """The list of libraries that were installed, by its content."""
    return f"#lock/{lock['sha256'][:16]}"


def step_id(table: TableFacts) -> str:
    """The workflow's step that makes a table."""
    return f"#step/{table.table}"


def action_id(table: TableFacts) -> str:
    """The run of a step."""
    return f"#make/{table.seq}"


def control_id(table: TableFacts) -> str:
    """The starting of a step by the engine."""
    return f"#control/{table.seq}"


def agent_id(name: str) -> str:
    """Who ran it."""
    return f"#agent/{quote(name)}"
