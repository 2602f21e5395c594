"""R as oracle: exactRankTests, coin and binom.test on random data sets rich in ties and zeros."""

from __future__ import annotations

import csv
import importlib.util
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from fm_platform.statistics.rank_sum import rank_sum
from fm_platform.statistics.sign_tests import sign_test
from fm_platform.statistics.signed_rank import signed_rank

ORACLE = Path(__file__).resolve().parents[2] / "oracles" / "signed_rank"
LARGEST_DIFFERENCE = 1e-12

OURS: dict[str, Callable[..., float]] = {
    "wilcox.exact": lambda arms: float(signed_rank(arms[""]).p_value),
    "wilcoxsign_test.pratt": lambda arms: float(signed_rank(arms[""], zero="pratt").p_value),
    "binom.test": lambda arms: float(sign_test(arms[""])),
    "wilcox.exact.two_sample": lambda arms: float(rank_sum(arms["b"], arms["a"]).p_value),
    "wilcox_test": lambda arms: float(rank_sum(arms["b"], arms["a"]).p_value),
}


def data_sets() -> dict[str, dict[str, list[int]]]:
    sets: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    with (ORACLE / "inputs.csv").open(newline="") as handle:
        for row in csv.DictReader(handle):
            sets[row["set_id"]][row["arm"]].append(int(row["change"]))
    return sets


def largest_differences(answers: Path) -> dict[str, tuple[int, float]]:
    """For each test: how many data sets, and the largest difference of p."""
    sets = data_sets()
    found: dict[str, list[float]] = defaultdict(list)
    with answers.open(newline="") as handle:
        for row in csv.DictReader(handle):
            ours = OURS[row["test"]](sets[row["set_id"]])
            found[row["test"]].append(abs(ours - float(row["p_value"])))
    return {test: (len(differences), max(differences)) for test, differences in found.items()}


def test_every_frozen_p_value_of_r_agrees():
    differences = largest_differences(ORACLE / "oracle.csv")
    assert {test: n for test, (n, _) in differences.items()} == {
        "wilcox.exact": 200,
        "wilcoxsign_test.pratt": 200,
        "binom.test": 200,
        "wilcox.exact.two_sample": 100,
        "wilcox_test": 100,
    }
    assert max(largest for _, largest in differences.values()) <= LARGEST_DIFFERENCE


def test_the_data_sets_are_rich_in_ties_and_zeros_and_of_every_size():
    paired = [arms[""] for arms in data_sets().values() if "" in arms]
    assert {len(changes) for changes in paired} == set(range(3, 16))
    assert sum(0 in changes for changes in paired) > 100
    assert sum(signed_rank(changes).n_tied_groups > 0 for changes in paired) > 100


def test_the_frozen_data_sets_are_those_of_the_script():
    spec = importlib.util.spec_from_file_location("make_inputs", ORACLE / "make_inputs.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    with (ORACLE / "inputs.csv").open(newline="") as handle:
        frozen = [tuple(row) for row in csv.reader(handle)][1:]
    assert frozen == [tuple(map(str, row)) for row in script.sets()]


def test_every_frozen_answer_names_the_versions_that_gave_it():
    with (ORACLE / "oracle.csv").open(newline="") as handle:
        versions = {row["versions"] for row in csv.DictReader(handle)}
    (version,) = versions
    assert [part.split()[0] for part in version.split("; ")] == ["R", "exactRankTests", "coin"]


def test_live_r_agrees(tmp_path):
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("needs Rscript; the frozen answers are compared in any case")
    packages = "quit(status = !all(sapply(c('coin', 'exactRankTests'), requireNamespace, quietly = TRUE)))"
    if subprocess.run([rscript, "-e", packages], capture_output=True, check=False).returncode:
        pytest.skip(
            "needs the R packages coin and exactRankTests; the frozen answers are compared in any case"
        )
    answers = tmp_path / "oracle.csv"
    subprocess.run(
        [rscript, str(ORACLE / "oracle.R"), str(ORACLE / "inputs.csv"), str(answers)],
        check=True,
        capture_output=True,
    )
    assert max(largest for _, largest in largest_differences(answers).values()) <= LARGEST_DIFFERENCE
