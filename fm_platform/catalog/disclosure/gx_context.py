"""``fm export gx``: the suites of a study as a Great Expectations project that runs without the platform.

Belongs here: what is in the folder. Does not belong here: Great Expectations itself (``validation.gx_suite``), or
letting the folder out (``exports``).

A suite looks at a source typed as far as its text allows. The SELECT that makes this frame from a published warehouse
lies beside the project, so that the counts are the gate's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from fm_platform.catalog.graph import Catalog
from fm_platform.validation.candidate import candidate_sql
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.expectations import expectations_of, suite_version
from fm_platform.validation.gx_suite import Suite, gx_version, write_context
from fm_platform.validation.raw_source import RawSource
from fm_platform.warehouse.connection import FAULTY_OPTIMIZERS
from fm_platform.warehouse.names import quoted_table

README = "README.md"
_README = """# Suites of the study {study}

{synthetic}The expectations that the gate of each clinical source holds its rows against, as a file context of Great
Expectations {version}. There is no row of a table in this folder. The counts of a run are those of the platform's
checks, on the frame that `candidates/<source>.sql` makes from a published warehouse:

    import duckdb
    import great_expectations as gx

    warehouse = duckdb.connect("warehouse.duckdb", read_only=True)
    warehouse.execute("SET disabled_optimizers = '{optimizers}'")  # known to change results in DuckDB 1.5.5
    context = gx.get_context(mode="file", project_root_dir=".")
    frame = warehouse.sql(open("candidates/{source}.sql").read()).df()
    print(context.validation_definitions.get("{source}").run(batch_parameters={{"dataframe": frame}}))

Numbers that cannot be read stand as infinity, which lies in no set and no range; missing cells are null. `meta.rules`
of an expectation names the platform's rules whose findings it counts.

| source | suite version |
|---|---|
{suites}
"""


def gx_context(catalog: Catalog, scratch: Path) -> dict[str, bytes]:
    """The folder, path to content.

    Args:
        catalog: The study's catalog; it has a clinical half.
        scratch: Where Great Expectations may write meanwhile.
    """
    study, instruments = catalog.study, catalog.instruments
    columns = declared_columns(study, instruments)
    suites = {
        source: Suite(expectations_of(study, columns, source), suite_version(study, instruments, source))
        for source in study.clinical
    }
    contents = {
        f"candidates/{source}.sql": f"{candidate_sql(RawSource(study, columns, source, quoted_table))}\n".encode()
        for source in suites
    }
    contents[README] = _readme(catalog, {source: suite.version for source, suite in suites.items()}).encode()
    with TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        write_context(suites, folder)
        written = sorted(path for path in folder.rglob("*") if path.is_file())
        return contents | {path.relative_to(folder).as_posix(): path.read_bytes() for path in written}


def _readme(catalog: Catalog, versions: Mapping[str, str]) -> str:
    return _README.format(
        study=catalog.study.study.id,
        synthetic="Synthetic data. " if catalog.study.study.synthetic else "",
        version=gx_version(),
        source=list(versions)[-1],
        optimizers=",".join(FAULTY_OPTIMIZERS),
        suites="\n".join(f"| {source} | {version} |" for source, version in versions.items()),
    )
