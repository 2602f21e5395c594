"""The Dagster UI of ``fm dev``: everything is materialized from it, and it talks to no other host."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from fm_platform_tests.e2e.conftest import Workspace

START_SECONDS = 240
RUN_SECONDS = 300
FINISHED = ("SUCCESS", "FAILURE", "CANCELED")

LAUNCH = """mutation Launch($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } ... on InvalidSubsetError { message } } }"""
STATUS = "query Status($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
ASSETS = """query { assetNodes { assetKey { path } description groupName kinds
  assetMaterializations(limit: 1) { metadataEntries { label __typename
    ... on MarkdownMetadataEntry { mdStr } ... on IntMetadataEntry { intValue }
    ... on BoolMetadataEntry { boolValue } } }
  assetChecksOrError { ... on AssetChecks { checks { name blocking
    executionForLatestMaterialization { status } } } } } }"""


@dataclass
class Ui:
    """A running ``fm dev``."""

    workspace: Workspace
    port: int

    def ask(self, query: str, **variables: Any) -> Any:
        """One GraphQL request."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["data"]

    def launch(self, *tables: str, force: bool = False) -> str:
        """Launch a run as the Materialize button does; no tables: the refresh job."""
        selector: dict[str, Any] = {
            "repositoryLocationName": "fm_platform.definitions",
            "repositoryName": "__repository__",
            "pipelineName": "__ASSET_JOB" if tables else "refresh",
        }
        if tables:
            selector["assetSelection"] = [{"path": table.split(".")} for table in tables]
        config = {table.replace(".", "__"): {"config": {"force": force}} for table in tables} if force else {}
        params = {"selector": selector, "runConfigData": {"ops": config} if config else {}, "mode": "default"}
        answer = self.ask(LAUNCH, p=params)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def finish(self, run_id: str) -> str:
        """Wait for a run's end."""
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            status = self.ask(STATUS, id=run_id)["runOrError"]["status"]
            if status in FINISHED:
                return status
            time.sleep(1)
        raise AssertionError(f"run {run_id} did not finish: {status}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def ui(small_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    base = tmp_path_factory.mktemp("ui")
    workspace = Workspace(base / "study", base / "home")
    shutil.copytree(small_study, workspace.study)
    port = free_port()
    command = [sys.executable, "-c", "from fm_platform.cli import main; main()", "dev", "--port", str(port)]
    command += ["--study", str(workspace.study), "--home", str(workspace.home)]
    with (base / "dev.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd=base
        )
        try:
            yield wait_until_up(Ui(workspace, port), process, base / "dev.log")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_until_up(ui: Ui, process: subprocess.Popen[bytes], log: Path) -> Ui:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        with contextlib.suppress(OSError, ValueError, KeyError):
            if ui.ask("query { assetNodes { id } }")["assetNodes"]:
                return ui
        time.sleep(1)
    raise AssertionError(log.read_text(encoding="utf-8")[-4000:])


def test_everything_is_materialized_with_checks_and_previews(ui):
    assert ui.finish(ui.launch()) == "SUCCESS"
    assets = {".".join(node["assetKey"]["path"]): node for node in ui.ask(ASSETS)["assetNodes"]}
    assert len(assets) > 30
    for table, node in assets.items():
        assert node["description"], table
        assert node["groupName"] != "default", table
        assert node["kinds"], table
        [materialization] = node["assetMaterializations"]
        entries = {entry["label"]: entry for entry in materialization["metadataEntries"]}
        assert entries["fm/recomputed"]["boolValue"] is True, table
        if not table.startswith(("files.", "publish.")):
            assert "dagster/row_count" in entries, table
            assert entries["preview"]["mdStr"].startswith("| "), table
            assert "dagster/column_lineage" in entries, table
    checks = assets["quarantine.visits"]["assetChecksOrError"]["checks"]
    by_name = {check["name"]: check for check in checks}
    assert by_name["gx_agrees"]["blocking"]
    assert by_name["gx_agrees"]["executionForLatestMaterialization"]["status"] == "SUCCEEDED"
    assert ui.workspace.fm("query", "SELECT * FROM report.responders").code == 0


def test_a_fresh_asset_is_not_recomputed_and_force_recomputes_it(ui):
    states = []
    for force in (False, True):
        assert ui.finish(ui.launch("study.visits", force=force)) == "SUCCESS"
        node = next(n for n in ui.ask(ASSETS)["assetNodes"] if n["assetKey"]["path"] == ["study", "visits"])
        entries = node["assetMaterializations"][0]["metadataEntries"]
        states.append(next(e["boolValue"] for e in entries if e["label"] == "fm/recomputed"))
    assert states == [False, True]


def test_a_killed_run_does_not_keep_the_next_one_from_running(ui):
    killed = ui.launch("expression.de_results", force=True)
    lock = ui.workspace.home / "lock"
    deadline = time.monotonic() + 120
    holder: dict[str, Any] = {}
    while holder.get("run_id") != killed and time.monotonic() < deadline:
        with contextlib.suppress(ValueError):
            holder = json.loads(lock.read_text(encoding="utf-8"))
        time.sleep(0.05)
    assert holder["run_id"] == killed
    os.kill(holder["pid"], signal.SIGKILL)
    assert ui.finish(ui.launch("marts.participants")) == "SUCCESS"
    assert ui.finish(killed) == "FAILURE"


def test_the_pages_ask_no_other_host(ui, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs Chromium to watch what the pages ask for")
    log = tmp_path / "net.json"
    hosts: set[str] = set()
    for page in ("/asset-groups", "/assets/report/symptom_change", "/overview/jobs"):
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-features=OptimizationHints,MediaRouter", "--disable-default-apps",
            f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}", "--net-log-capture-mode=Default",
            "--virtual-time-budget=15000", "--dump-dom", f"http://127.0.0.1:{ui.port}{page}",
        ]  # fmt: skip
        finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert '<div id="root">' in finished.stdout
        assert "<script" in finished.stdout
        hosts |= requested_hosts(log)
    assert hosts == {f"127.0.0.1:{ui.port}"}


def requested_hosts(log: Path) -> set[str]:
    """Hosts of the requests that pages made, by Chromium's own network log."""
    text = log.read_text(encoding="utf-8").rstrip().rstrip(",")
    if not text.endswith("}"):
        text += "]}"
    events = json.loads(text)
    kinds = {number: name for name, number in events["constants"]["logEventTypes"].items()}
    hosts = set()
    for event in events["events"]:
        asked = event.get("params")
        if kinds.get(event["type"]) != "URL_REQUEST_START_JOB" or not isinstance(asked, dict):
            continue
        by_a_page = str(asked.get("initiator", "")).startswith("http")
        host = urlsplit(asked.get("url", "")).netloc
        if by_a_page or host.startswith("127.0.0.1"):
            hosts.add(host)
    return hosts
