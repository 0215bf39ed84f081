"""CSV tables with a header: rows with the line they stand on, and cells as numbers, or an error that names both."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from runtime.errors import FlightError


class Row(NamedTuple):
    """A row of a table."""

    where: str  # file and line, for messages
    cells: Mapping[str, str]

    def whole_number(self, column: str) -> int:
        """Return a cell of whole microseconds; raises FlightError."""
        try:
            return int(self.cells[column] or "")
        except ValueError:
            raise FlightError(
                f"{self.where}: {column} is {self.cells[column]!r}, expected whole microseconds"
            ) from None

    def number(self, column: str) -> float:
        """Return a cell's number; a blank or missing cell is unknown (NaN), a written NaN or infinity a FlightError."""
        text = (self.cells.get(column) or "").strip()
        if not text:
            return math.nan
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise FlightError(
                f"{self.where}: {column} is {text!r}, expected a number (leave the cell blank when it is unknown)"
            )
        return value


def read_rows(path: Path, required: Sequence[str], *, strict: bool = True) -> Iterator[Row]:
    """Yield the rows of a table that has the required columns; raises FlightError.

    ``strict`` refuses a row of another number of cells than the header, and bytes that are no UTF-8.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="strict" if strict else "replace") as file:
            reader = csv.DictReader(file)
            lacking = [name for name in required if name not in (reader.fieldnames or ())]
            if lacking:
                raise FlightError(f"{path} lacks the column {', '.join(lacking)}; it needs {','.join(required)}")
            for cells in reader:
                if strict and (None in cells or None in cells.values()):
                    raise FlightError(f"{path} line {reader.line_num} has another number of cells than the header")
                yield Row(f"{path} line {reader.line_num}", cells)
    except FileNotFoundError:
        raise FlightError(f"{path} is missing; it needs the columns {','.join(required)}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise FlightError(f"{path} is not a CSV file: {error}") from None
