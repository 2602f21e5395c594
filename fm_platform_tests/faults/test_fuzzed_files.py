"""Two thousand damaged deliveries, a quarter of them in `make test`: each is accepted, set aside or refused; none lost.

Every one goes through the rules in DuckDB; one in forty also through Great Expectations, which must agree.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest

from fm_platform.catalog.delivered import with_optional_items
from fm_platform.errors import InputError
from fm_platform.instruments.registry import load_instruments
from fm_platform.sources.delimited import read_text_table
from fm_platform.study.loading import load_study
from fm_platform.validation.checks import AGREES
from fm_platform.validation.columns import declared_columns
from fm_platform.validation.gate import find
from fm_platform.validation.gate import gate as judge
from fm_platform.validation.headers import optional_columns, require_columns
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.readings import require_one_reading
from fm_platform.warehouse.names import relation
from fm_platform_tests.e2e.soak import SOAK

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"
FILES = 2000
BATCHES = 8
CONFIRMED_EVERY = 40
"""Every so many files go through the whole gate, Great Expectations included: more than half a second each."""
JUNK = (
    "", " ", "11", "-1", "5.5", "NA", "-99", "1e3", "999999999999999999", "\x00", "\ufeff", "é", "'; drop table x; --",
    "31/12/2024", "2024-13-45", "TRUE", "=1+1", "'", '"', ",", ";", "\n", "\r", "\t", "NaN", "inf", "٣", "0x10", "1,5",
)  # fmt: skip


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The file after one to four accidents."""
    for _ in range(chance.randint(1, 4)):
        data = chance.choice(ACCIDENTS)(data, chance)
    return data


def _cell(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    cells = lines[at].split(b",")
    cells[chance.randrange(len(cells))] = chance.choice(JUNK).encode("utf-8", "surrogatepass")
    lines[at] = b",".join(cells)
    return b"\n".join(lines)


def _lines(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    what = chance.randrange(4)
    if what == 0:
        lines.insert(at, lines[other])
    elif what == 1:
        del lines[at]
    elif what == 2:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at] = b""
    return b"\n".join(lines)


def _bytes(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    what = chance.randrange(3)
    if what == 0:
        return data[:at]
    if what == 1:
        return data[:at] + bytes([chance.randrange(256)]) + data[at:]
    return data[:at] + data[at + chance.randint(1, 30) :]


def _whole(data: bytes, chance: random.Random) -> bytes:
    return chance.choice(
        [
            lambda: data.replace(b",", chance.choice([b";", b"\t", b"|"])),
            lambda: data.replace(b"\n", b"\r\n"),
            lambda: b"\xef\xbb\xbf" + data,
            lambda: data.decode("latin-1").encode("utf-16"),
            data.upper,
        ]
    )()


ACCIDENTS = (_cell, _cell, _cell, _lines, _lines, _bytes, _whole)


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory):
    """A function that delivers the visits file of the demo and says how it ended."""
    folder = tmp_path_factory.mktemp("fuzz") / "study"
    shutil.copytree(DEMO, folder)
    study = load_study(folder)
    instruments = load_instruments(study)
    con = duckdb.connect()
    con.execute("attach ':memory:' as fm; create schema fm.raw; create schema fm.audit")
    columns = declared_columns(study, instruments)

    def store(source: str, frame: pl.DataFrame) -> None:
        con.register("incoming", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
        con.execute(f"create or replace table {relation(f'raw.{source}')} as select * from incoming")
        con.unregister("incoming")

    people = folder / "clinical" / "participants.csv"
    store("participants", read_text_table("participants", people, name="participants.csv").frame)
    path = folder / "clinical" / "visits.csv"

    def deliver(data: bytes, confirmed: bool = False) -> str:
        path.write_bytes(data)
        try:
            table = read_text_table("visits", path, name="visits.csv")
            require_columns(study, instruments, "visits", table.columns, file="visits.csv")
            store("visits", with_optional_items(table.frame, optional_columns(study, instruments, "visits")))
            view = RawSource(study, columns, "visits", relation)
            require_one_reading(con, view)
        except InputError as error:
            return "refused" if error.mend else "refused without a mend"
        findings = find(con, view)
        set_aside = set(findings.filter(pl.col("scope") == "row")["_row_id"])
        read = set(table.frame["_row_id"])
        accepted = read - set_aside
        if confirmed:
            whole = judge(con, relation, study, instruments, "visits")
            verdicts = {check.name: check for check in whole.checks}
            assert whole.findings.equals(findings)
            assert verdicts[AGREES.name].passed, verdicts[AGREES.name].metadata
        assert set(findings["_row_id"]) <= read
        assert len(accepted) + len(set_aside) == len(read) == table.frame.height == len(table.lines)
        return "quarantined" if findings.height else "accepted"

    yield deliver
    con.close()


@pytest.mark.soak
@pytest.mark.parametrize("batch", range(BATCHES if SOAK else 2))
def test_a_damaged_file_ends_accepted_quarantined_or_refused(gate, batch: int) -> None:
    original = (DEMO / "clinical" / "visits.csv").read_bytes()
    endings = []
    for number in range(FILES // BATCHES):
        chance = random.Random(batch * FILES + number)
        endings.append(gate(damaged(original, chance), confirmed=number % CONFIRMED_EVERY == 0))
    assert set(endings) == {"accepted", "quarantined", "refused"}


def test_the_undamaged_file_is_accepted(gate) -> None:
    assert gate((DEMO / "clinical" / "visits.csv").read_bytes()) == "accepted"
