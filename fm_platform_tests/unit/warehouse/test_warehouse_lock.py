"""One writer: the second waits and is told for whom; a killed holder keeps nobody out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fm_platform.errors import EnvironmentFailure
from fm_platform.warehouse.lock import Holder, hold_lock, is_alive, mark_alive, read_holder

HOLD = """
import sys
from pathlib import Path
from fm_platform.warehouse.lock import hold_lock, mark_alive
home = Path(sys.argv[1])
with mark_alive(home / "alive", "child-run"), hold_lock(home / "lock", "child-run"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its standard input ends."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_who_waits_is_told_the_holder_and_goes_on_when_it_ends(tmp_path):
    told: list[Holder | None] = []
    with holder(tmp_path) as process:

        def let_it_end(who: Holder | None) -> None:
            told.append(who)
            assert process.stdin is not None
            process.stdin.close()

        with hold_lock(tmp_path / "lock", "mine", on_wait=let_it_end, poll=0.01):
            assert read_holder(tmp_path / "lock").run_id == "mine"
        assert process.wait() == 0
    assert len(told) == 1
    assert told[0] is not None
    assert (told[0].pid, told[0].run_id) == (process.pid, "child-run")


def test_who_does_not_want_to_wait_is_refused_with_the_holder(tmp_path):
    with holder(tmp_path) as process:
        expected = rf"locked by process {process.pid} \(run child-run\), since 20"
        with (
            pytest.raises(EnvironmentFailure, match=expected) as refused,
            hold_lock(tmp_path / "lock", "mine", timeout=0, poll=0.01),
        ):
            pass
        assert refused.value.exit_code == 3


def test_a_killed_holder_frees_the_lock(tmp_path):
    with holder(tmp_path) as process:
        process.kill()
        process.wait()
        assert read_holder(tmp_path / "lock").pid == process.pid
        with hold_lock(tmp_path / "lock", "mine", timeout=0):
            assert read_holder(tmp_path / "lock").run_id == "mine"


def test_an_error_under_the_lock_frees_it(tmp_path):
    with pytest.raises(ValueError, match="inside"), hold_lock(tmp_path / "lock", "first"):
        raise ValueError("inside")
    with hold_lock(tmp_path / "lock", "second", timeout=0):
        pass


def test_a_process_cannot_take_its_own_lock_twice(tmp_path):
    with (
        hold_lock(tmp_path / "lock", "first"),
        pytest.raises(EnvironmentFailure, match="run first"),
        hold_lock(tmp_path / "lock", "second", timeout=0, poll=0.01),
    ):
        pass


def test_a_lock_file_that_cannot_be_opened_is_an_environment_failure(tmp_path):
    with (
        pytest.raises(EnvironmentFailure, match="cannot be opened"),
        hold_lock(tmp_path / "none" / "lock", "r"),
    ):
        pass


@pytest.mark.parametrize(
    "content", ["", "not json", "{}", '{"pid": "x", "run_id": 1, "since": 2}', "[]", "3"]
)
def test_an_unreadable_lock_file_names_nobody(tmp_path, content):
    (tmp_path / "lock").write_text(content)
    assert read_holder(tmp_path / "lock") is None


def test_a_run_is_alive_as_long_as_its_process(tmp_path):
    alive = tmp_path / "alive"
    assert is_alive(alive, "child-run") is None
    with holder(tmp_path) as process:
        assert is_alive(alive, "child-run") is True
        process.kill()
        process.wait()
        assert is_alive(alive, "child-run") is False


def test_a_run_that_ended_by_itself_leaves_no_mark(tmp_path):
    with mark_alive(tmp_path, "run"):
        assert is_alive(tmp_path, "run") is True
    assert is_alive(tmp_path, "run") is None
    assert list(tmp_path.iterdir()) == []
