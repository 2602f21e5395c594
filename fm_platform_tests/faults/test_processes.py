"""Killed runs and concurrent ones: the next run goes on, and a waiter says for whom it waits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg

from fm_platform.warehouse.home import Home
from fm_platform.warehouse.lock import hold_lock
from fm_platform_tests.e2e.conftest import Workspace

FM = [sys.executable, "-c", "from fm_platform.cli import main; main()"]


def start(workspace: Workspace, *arguments: str) -> subprocess.Popen[str]:
    command = [*FM, *arguments, "--study", str(workspace.study), "--home", str(workspace.home)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_word(process: subprocess.Popen[str], word: str) -> str:
    """Read standard error up to a word."""
    assert process.stderr is not None
    read = ""
    while word not in read:
        line = process.stderr.readline()
        assert line, f"ended before {word!r}: {read}"
        read += line
    return read


def run_states(home: Path) -> list[str]:
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        return [record.dagster_run.status.value for record in instance.get_run_records()]


def test_a_killed_refresh_leaves_the_home_consistent_and_the_next_one_finishes(clinical_study):
    process = start(clinical_study, "refresh")
    wait_for_word(process, "gate over")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert run_states(clinical_study.home) == ["STARTED"]
    assert clinical_study.fm("verify").code == 0

    outcome = clinical_study.fm("refresh")
    assert outcome.code == 0, outcome.err
    assert sorted(run_states(clinical_study.home)) == ["FAILURE", "SUCCESS"]
    assert clinical_study.fm("verify").code == 0


def test_a_refresh_waits_for_the_holder_and_says_who_it_is(workspace):
    home = Home(workspace.home)
    with hold_lock(home.lock, "the-ui-run"):
        process = start(workspace, "refresh", "--json")
        told = wait_for_word(process, "waiting for")
        time.sleep(0.5)
        assert process.poll() is None
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "the-ui-run" in told
    assert str(os.getpid()) in told
    assert json.loads(out)["computed"] == []


def test_readers_answer_while_a_writer_holds_the_home(workspace):
    with hold_lock(Home(workspace.home).lock, "a-writer"):
        for command in (
            ["status"],
            ["query", "SELECT 1"],
            ["explain", "study.visits", "--where", "visit_id=week_4"],
        ):
            assert workspace.fm(*command).code == 0
