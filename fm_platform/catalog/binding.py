"""Whether a home is that of a study folder: by the study's id, and by what the folder delivers.

Belongs here: telling a study that moved from another one that has the same id. Does not belong here: where homes and
folders are (``places``).
"""

from __future__ import annotations

from fm_platform.catalog.graph import Catalog
from fm_platform.errors import InputError
from fm_platform.lineage.history import from_state
from fm_platform.lineage.plan import FileDigests
from fm_platform.study.model import STUDY_FILE
from fm_platform.warehouse.home import Home

_APART = "give it a home of its own with --home (or FM_HOME)"


def check_home(catalog: Catalog, home: Home) -> str | None:
    """Refuse a home that was made for another study.

    A folder that was renamed, copied or cloned delivers at least one file that the home has read, or has the same
    study.yaml. One that has neither, while the folder that the home was made for is still there, is another study.

    Args:
        catalog: The study that is about to use the home.
        home: The home.

    Returns:
        What to tell whoever asked, where the study has moved; None where nothing is to be said.

    Raises:
        InputError: The home belongs to a study of another id, or of the same id in another folder.
    """
    study = catalog.study
    home.check_binding(study.study.id)
    bound = home.bound_study()
    folder = study.folder.resolve()
    if bound is None or bound[1] == folder:
        return None
    first = bound[1] / STUDY_FILE
    shared = _shares_files(catalog, home)
    if not shared and first.is_file() and first.read_bytes() != study.file.read_bytes():
        raise InputError(
            f"this home was made for the study in {bound[1]}; {folder} has the same id ({bound[0]}), but another "
            "study.yaml and none of the files that the home has read",
            file=home.path,
            mend=f"{_APART}, or another `id:` in study.yaml; if the study moved here, take the old folder away",
        )
    same = "delivers files that it has read" if shared else "has the same id"
    return (
        f"this home was made for the study in {bound[1]}; {folder} {same} and is taken for the same study. "
        f"If it is not: {_APART}"
    )


def _shares_files(catalog: Catalog, home: Home) -> bool:
    """Whether any delivered file has the content of one that the home has read."""
    state = home.state()
    made = from_state(state).materialized.values()
    seen = {digest for entry in made for digest in entry.body["parts"]["sources"] if digest is not None}
    files = FileDigests(state.get("files"))
    paths = {path for asset in catalog.assets.values() for path in asset.source_files}
    return any(files.of(path) in seen for path in sorted(paths))
