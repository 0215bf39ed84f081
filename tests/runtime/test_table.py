"""CSV tables: numbers come back as they were written, and what is wrong is told with its line."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import FlightError
from runtime.table import read_rows

NUMBERS = st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=20)


@given(NUMBERS)
def test_numbers_come_back_and_blank_cells_are_unknown(numbers: list[float | None]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        lines = [f"{i},{'' if number is None else repr(number)}" for i, number in enumerate(numbers)]
        path.write_text("\n".join(["t_us,x", *lines]) + "\n")
        rows = list(read_rows(path, ("t_us", "x")))
    assert [row.whole_number("t_us") for row in rows] == list(range(len(numbers)))
    for row, number in zip(rows, numbers, strict=True):
        assert math.isnan(row.number("x")) if number is None else row.number("x") == number


def test_a_spreadsheet_s_mark_and_columns_that_nobody_asked_for_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("\ufefft_us,note,x\r\n5,\u00fcber,2.5\r\n".encode())
    (row,) = read_rows(tmp_path / "a.csv", ("t_us", "x"))
    assert (row.whole_number("t_us"), row.number("x")) == (5, 2.5)
    assert math.isnan(row.number("no such column")), "an optional column may be left out"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"t_us\n1\n", "lacks the column x; it needs t_us,x"),
        (b"t_us,x\n1\n", "line 2 has another number of cells than the header"),
        (b"t_us,x\n1,2,3\n", "line 2 has another number of cells than the header"),
        (b"t_us,x\n1,\xff\n", "is not a CSV file"),
        (b"t_us,x\n1,inf\n", "line 2: x is 'inf', expected a number"),
        (b"t_us,x\n1,NaN\n", "line 2: x is 'NaN', expected a number"),
        (b"t_us,x\n1,2;5\n", "line 2: x is '2;5', expected a number"),
        (b"t_us,x\n1.5,2\n", "line 2: t_us is '1.5', expected whole microseconds"),
        (b"t_us,x\n,2\n", "line 2: t_us is '', expected whole microseconds"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(text)
    with pytest.raises(FlightError, match=said.replace("(", r"\(")):
        for row in read_rows(tmp_path / "a.csv", ("t_us", "x")):
            assert row.whole_number("t_us") + row.number("x")


def test_a_missing_table_is_told_with_its_columns(tmp_path: Path) -> None:
    with pytest.raises(FlightError, match=r"a\.csv is missing; it needs the columns t_us,x"):
        list(read_rows(tmp_path / "a.csv", ("t_us", "x")))


def test_in_flight_a_half_written_line_is_taken_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"t_us,x\n1,2\n3\n4,\xff\n")
    rows = list(read_rows(tmp_path / "a.csv", ("t_us", "x"), strict=False))
    assert [row.whole_number("t_us") for row in rows] == [1, 3, 4]
    assert math.isnan(rows[1].number("x"))
