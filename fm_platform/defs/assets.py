"""Catalog assets as Dagster assets, with their checks.

Belongs here: what the UI shows of an asset (schema, lineage, preview, versions) and the one step function.
Does not belong here: what the step does (``catalog.session``).
"""

import base64
from typing import Any

import dagster as dg
import polars as pl

from fm_platform.catalog.asset import Asset
from fm_platform.catalog.report.site import steward_page
from fm_platform.catalog.session import KEY_CHECK, PUBLISH, Session, StepResult
from fm_platform.errors import FmError
from fm_platform.lineage.exchange.inventory import table_facts
from fm_platform.reporting.site.drawing import svg
from fm_platform.reporting.site.names import Links
from fm_platform.reporting.site.trace import table_picture
from fm_platform.warehouse.records import CheckDeclaration, CheckOutcome, Column

SESSION = "session"
RECOMPUTED = "fm/recomputed"
PREVIEW_ROWS = 5
OWNERS = {
    "clinical": "team:clinical-data",
    "expression": "team:bioinformatics",
    "both": "team:study-stewards",
}


class MaterializeConfig(dg.Config):
    """What can be set for one step in the launchpad."""

    force: bool = False


def asset_key(table: str) -> dg.AssetKey:
    """``schema.table`` as an asset key."""
    return dg.AssetKey(table.split("."))


def op_name(table: str) -> str:
    """What Dagster calls the step of ``schema.table``."""
    return table.replace(".", "__")


def dagster_asset(asset: Asset) -> dg.AssetsDefinition:
    """One catalog asset for Dagster."""

    @dg.asset(
        key=asset_key(asset.table),
        deps=[asset_key(table) for table in asset.inputs],
        description=asset.description,
        group_name=asset.group,
        kinds=set(asset.kinds),
        owners=[OWNERS[asset.half]],
        code_version=asset.code_version[:12],
        metadata=_static_metadata(asset),
        check_specs=[_check_spec(asset, check) for check in declared_checks(asset)],
        automation_condition=_publish_condition() if asset.table == PUBLISH else None,
        required_resource_keys={SESSION},
    )
    def step(context: dg.AssetExecutionContext, config: MaterializeConfig) -> dg.MaterializeResult:  # type: ignore[type-arg]
        session: Session = context.resources.session
        try:
            result = session.materialize(asset.table, force=config.force)
        except FmError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        return _materialize_result(asset, session, result)

    return step


def declared_checks(asset: Asset) -> tuple[CheckDeclaration, ...]:
    """The checks of an asset, the uniqueness of its key included."""
    if not asset.key:
        return asset.checks
    key = CheckDeclaration(KEY_CHECK, True, f"({', '.join(asset.key)}) is unique")
    return (key, *asset.checks)


def _check_spec(asset: Asset, check: CheckDeclaration) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        check.name, asset=asset_key(asset.table), description=check.description, blocking=check.blocking
    )


def _static_metadata(asset: Asset) -> dict[str, Any]:
    metadata: dict[str, Any] = {"dagster/table_name": asset.table}
    if asset.columns:
        metadata["dagster/column_schema"] = dg.TableSchema(
            columns=[
                dg.TableColumn(
                    column.name,
                    column.type or "?",
                    description=column.description,
                    constraints=dg.TableColumnConstraints(nullable=column.name not in asset.key),
                    tags=_tags(column),
                )
                for column in asset.columns
            ]
        )
    return metadata


def _materialize_result(asset: Asset, session: Session, result: StepResult) -> dg.MaterializeResult[Any]:
    metadata: dict[str, Any] = {
        RECOMPUTED: result.status == "computed",
        "fm/fingerprint": result.materialized.fingerprint,
        "fm/full_digest": result.materialized.full_digest,
        "fm/ledger_seq": result.materialized.seq,
        "fm/steward_page": dg.MetadataValue.path(str(session.home.path / steward_page(asset.table))),
        **result.metadata,
    }
    if asset.key:
        metadata |= _table_metadata(asset, session, result)
    checks = result.checks if result.status == "computed" else _latest_checks(asset, session)
    return dg.MaterializeResult(
        metadata=metadata,
        data_version=dg.DataVersion(result.materialized.value_digest),
        check_results=[_check_result(check) for check in checks],
    )


def _table_metadata(asset: Asset, session: Session, result: StepResult) -> dict[str, Any]:
    body = result.materialized.body
    described = {column.name: column for column in asset.columns}
    lineage: dict[str, list[dg.TableColumnDep]] = {
        column: [
            dg.TableColumnDep(asset_key(table), name)
            for table, name in dict.fromkeys((entry[0], entry[1]) for entry in inputs if entry[2] == "DIRECT")
        ]
        for column, inputs in body.get("column_lineage", {}).items()
    }
    return {
        "dagster/row_count": body["rows"],
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(
                    name,
                    kind,
                    description=described[name].description if name in described else None,
                    tags=_tags(described.get(name)),
                )
                for name, kind in body["columns"]
            ]
        ),
        "dagster/column_lineage": dg.TableColumnLineage(lineage),
        "column lineage": dg.MetadataValue.md(_picture(result)),
        "preview": dg.MetadataValue.md(_preview(asset, session)),
    }


def _picture(result: StepResult) -> str:
    """The table between its inputs as an image: the open-source UI draws no column lineage."""
    table = table_facts(result.materialized, ())
    drawn = base64.b64encode(
        svg(table_picture(table, Links("", frozenset())), standalone=True).encode()
    ).decode()
    return f"![{table.table} and the columns it is made from](data:image/svg+xml;base64,{drawn})"


def _tags(column: Column | None) -> dict[str, str]:
    """Privacy tags in Dagster's form."""
    return {"fm/privacy": column.tags[0]} if column is not None and column.tags else {}


def _preview(asset: Asset, session: Session) -> str:
    """The first rows in key order as a Markdown table, without the platform's own columns."""
    frame = session.warehouse.head_rows(asset.table, asset.key, PREVIEW_ROWS)
    frame = frame.select([name for name in frame.columns if not name.startswith("_")][:12])
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + "---|" * frame.width]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in frame.iter_rows()]
    note = "\n\nSynthetic data." if session.catalog.study.study.synthetic else ""
    return "\n".join(lines) + note


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    if isinstance(value, pl.Series | list):
        text = ", ".join(str(entry) for entry in list(value)[:6])
    return text.replace("|", "\\|").replace("\n", " ")[:60]


def _latest_checks(asset: Asset, session: Session) -> list[CheckOutcome]:
    """The newest verdicts, for a step that did not recompute."""
    found = []
    for check in declared_checks(asset):
        verdict = session.history.verdicts.get((asset.table, check.name))
        if verdict is None:
            found.append(CheckOutcome(check.name, True, check.blocking, "WARN", check.description))
            continue
        body = verdict.body
        found.append(
            CheckOutcome(
                check.name,
                verdict.passed,
                check.blocking,
                body["severity"],
                body["description"],
                body["metadata"],
            )
        )
    return found


def _check_result(check: CheckOutcome) -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.ERROR if check.severity == "ERROR" else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        check_name=check.name,
        passed=check.passed,
        severity=severity,
        description=check.description or None,
        metadata={key: _metadata_value(value) for key, value in check.metadata.items()},
    )


def _metadata_value(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else dg.MetadataValue.json(value)


def _publish_condition() -> dg.AutomationCondition[Any]:
    """Publish what was materialized outside a job, once nothing it reads is in progress."""
    return (
        dg.AutomationCondition.any_deps_updated().since_last_handled()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    ).with_label("publish after an ad hoc materialization")
